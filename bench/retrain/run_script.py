"""Runs another project's training script unchanged, then prints how much of the accelerator's memory it took."""

import json
import runpy
import sys

if __name__ == "__main__":
    sys.argv = sys.argv[1:]
    runpy.run_path(sys.argv[0], run_name="__main__")
    import torch

    on_cuda = torch.cuda.is_available()
    result = {"device_peak_mb": torch.cuda.max_memory_reserved() / 1e6} if on_cuda else {}
    print("\nnaysayer-bench " + json.dumps(result))
