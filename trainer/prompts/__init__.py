"""Prompts as people write them, and what the text encoders make of them."""
