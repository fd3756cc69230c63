"""The base model: where it lies, how it is loaded, how it fits in memory."""
