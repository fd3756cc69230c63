"""What is looked at on a card, part by part."""
