"""The pages beside the rating page."""
