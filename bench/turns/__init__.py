"""Do a worker and a retrain take turns on one device, however they end?"""
