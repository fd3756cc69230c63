"""A version's files for other programs."""
