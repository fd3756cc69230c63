"""Everything that touches torch: load SDXL, sample with the negative half, objectives, fit, publish, export."""

import os

# Read by the libraries at import: their notices are not the user's business, their errors still come.
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("DIFFUSERS_VERBOSITY", "error")
