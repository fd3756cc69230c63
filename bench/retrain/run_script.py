"""Runs another project's training script unchanged, then prints how much of the accelerator's memory it took."""

import json
import runpy
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.argv = sys.argv[1:]
    sys.path.insert(0, str(Path(sys.argv[0]).resolve().parent))  # as Python does for a program
    runpy.run_path(sys.argv[0], run_name="__main__")
    import torch

    on_cuda = torch.cuda.is_available()
    result = {"device_peak_mb": torch.cuda.max_memory_reserved() / 1e6} if on_cuda else {}
    print("\nnaysayer-bench " + json.dumps(result))
