"""An exported folder in diffusers' own script for Diffusion-DPO, which is run unchanged on the built-in model."""

import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.exchange.filled import PAIRS, SIDE, fill_and_export
from bench.retrain.train import Ended, run_child
from store.errors import BadRequest

SCRIPT = "examples/research_projects/diffusion_dpo/train_diffusion_dpo_sdxl.py"
BATCH, STEPS = 4, 1
EXAMPLES = re.compile(r"Num examples = (\d+)")
LOSS = re.compile(r"[ ,]loss=([\d.e+-]+)")
FILE = "pytorch_lora_weights.safetensors"


def measure_dpo(script: Path, python: Path = Path(sys.executable)) -> dict[str, Any]:
    """Pairs that were exported and that the script loaded, its loss at the first step, and the bytes of its LoRA.

    Raises BadRequest when the script is missing or fails.
    """
    if not script.is_file():
        raise BadRequest(f"{script} is not a file; give the path of diffusers' {SCRIPT}")
    with tempfile.TemporaryDirectory(prefix="naysayer-bench-") as made:
        filled, output = fill_and_export(Path(made)), Path(made) / "output"
        filled.engine.dispose()
        words = list(dpo_options(filled.folder, output, Path(made) / "cache"))
        ended = run_child([str(python), "-m", "bench.retrain.run_script", str(script.resolve()), *words])
        return {"exported": PAIRS, **read_output(ended), "lora_bytes": (output / FILE).stat().st_size}


def dpo_options(folder: Path, output: Path, cache: Path) -> Iterator[str]:
    """What the script is given: the folder's pairs in place of a dataset on the Hub, and the built-in model."""
    from trainer.base.weights import BUILTIN_FOLDER

    given = {
        "pretrained_model_name_or_path": BUILTIN_FOLDER,
        "dataset_name": folder / "pairs",
        "dataset_split_name": "train",
        "resolution": SIDE,
        "train_batch_size": BATCH,
        "max_train_steps": STEPS,
        "lr_warmup_steps": 0,
        "mixed_precision": "no",
        "seed": 0,
        "output_dir": output,
        "cache_dir": cache,
    }
    yield from (word for name, value in given.items() for word in (f"--{name}", str(value)))


def read_output(ended: Ended) -> dict[str, Any]:
    """What the script says of its data and of its last step."""
    examples, losses = EXAMPLES.findall(ended.output), LOSS.findall(ended.output)
    if not examples or not losses:
        raise BadRequest(f"the script ended without a step; its last output: {ended.output[-1500:]}")
    return {"loaded": int(examples[-1]), "loss": float(losses[-1]), "wall_s": round(ended.wall_s, 1)}


def table(found: dict[str, Any]) -> str:
    """The figures in a sentence."""
    pairs = f"{found['loaded']} of {found['exported']} exported pairs"
    return (
        f"diffusers' script loaded {pairs} and took its first step: loss {found['loss']:.3f} (ln 2 = 0.693: no "
        f"difference from the base yet), a LoRA of {found['lora_bytes']:,} bytes, {found['wall_s']:.0f} s in all"
    )
