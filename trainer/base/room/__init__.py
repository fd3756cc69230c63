"""Whether a model has room on a device beside others, and whose turn it is there."""
