"""The pictures that a retrain draws for itself; nobody rates them."""
