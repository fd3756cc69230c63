"""Lists of prompts and pairs that people import: every format by its own rules."""
