"""A retrain while it runs: its turn on the device, and what its log says."""
