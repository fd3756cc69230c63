"""The base model: where its weights are, how it is loaded, how it fits in memory."""
