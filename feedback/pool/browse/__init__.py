"""What the page Pool shows."""
