"""A whole store in one file: backup and restore."""
