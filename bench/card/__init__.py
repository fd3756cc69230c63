"""What one card does with the real SDXL: what is computed, and what `naysayer bench card` measures."""
