"""The built-in model, a genuine SDXL in miniature: how it is built, and how often it is wrong."""
