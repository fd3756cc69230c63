"""What happens now: the workers, the running retrain, and the news that every open page is told."""
