"""Fit a negative LoRA: objectives, cache, batches, learner, checkpoints."""
