"""The pages other than the rating page."""
