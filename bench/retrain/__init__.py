"""What a retrain costs."""
