"""Pictures and votes on their way out and in, and whole stores on their way to another database or store."""
