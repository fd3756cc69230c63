"""Who sees which picture, and what a key press does."""
