"""Whether a version goes live."""
