"""Kinds of files: the texts in them, and whether they are one sound picture."""
