"""Who sees which picture, how it is shown, and what a key press does."""
