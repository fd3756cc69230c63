"""A folder of pictures, sorted by a version's check."""
