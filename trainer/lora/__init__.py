"""A LoRA as tensors and as files of other programs."""
