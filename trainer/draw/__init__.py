"""`naysayer draw`: prompts in, pictures out, drawn with what the loop has taught."""
