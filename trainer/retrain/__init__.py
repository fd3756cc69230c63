"""`make retrain`: freeze, fit, choose the strength, publish."""
