"""The rating page and its routes."""
