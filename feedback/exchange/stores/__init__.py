"""A whole store: moved to another database, or merged into another store."""
