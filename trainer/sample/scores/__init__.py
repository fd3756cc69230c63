"""Scores of pictures that the store did not draw: of files in a folder, and of what a program sends."""
