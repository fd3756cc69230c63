"""An exported folder in diffusers' own training script for Diffusion-DPO, which is run unchanged.

Both sides work on the built-in model. The pictures are drawn, not sampled: two of one prompt, one of them wrong.
"""

import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.retrain.train import Ended, run_child
from store.errors import BadRequest

SCRIPT = "examples/research_projects/diffusion_dpo/train_diffusion_dpo_sdxl.py"
PAIRS, BATCH, STEPS = 8, 4, 1
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
        folder, output = _exported(Path(made)), Path(made) / "output"
        words = list(dpo_options(folder, output, Path(made) / "cache"))
        ended = run_child([str(python), "-m", "bench.retrain.run_script", str(script.resolve()), *words])
        return {"exported": PAIRS, **read_output(ended), "lora_bytes": (output / FILE).stat().st_size}


def dpo_options(folder: Path, output: Path, cache: Path) -> Iterator[str]:
    """What the script is given: the folder's pairs in place of a dataset on the Hub, and the built-in model."""
    from trainer.base.weights import BUILTIN_FOLDER

    given = {
        "pretrained_model_name_or_path": BUILTIN_FOLDER,
        "dataset_name": folder / "pairs",
        "dataset_split_name": "train",
        "resolution": 64,
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


def _exported(folder: Path) -> Path:
    from PIL import Image

    from bench.retrain.pools import PoolPicture, fill_pool
    from feedback.exchange.outgoing.chosen import Wanted
    from feedback.exchange.outgoing.folder import export_folder
    from store.layout import layout_of
    from store.migrate import open_store
    from store.settings import Settings
    from store.tables import Verdict
    from trainer.sample.sampler import png_of
    from trainer.world.pictures import pictures

    settings = Settings(_env_file=None, data_dir=folder / "data")
    right, wrong = pictures(PAIRS, 0.0, 1), pictures(PAIRS, 1.0, 2)
    engine = open_store(settings)
    sides = [(right, Verdict.keep, 0), (wrong, Verdict.reject, PAIRS)]
    fill_pool(engine, settings, [
        PoolPicture(png_of(Image.fromarray(made.pixels[k])), None, right.prompts[k], first + k, 64, verdict)
        for made, verdict, first in sides
        for k in range(PAIRS)
    ])  # fmt: skip
    exported = export_folder(engine, layout_of(settings).blobs, Wanted(), folder / "out")
    engine.dispose()
    return exported.folder


def table(found: dict[str, Any]) -> str:
    """The figures in a sentence."""
    pairs = f"{found['loaded']} of {found['exported']} exported pairs"
    return (
        f"diffusers' script loaded {pairs} and took its first step: loss {found['loss']:.3f} (ln 2 = 0.693: no "
        f"difference from the base yet), a LoRA of {found['lora_bytes']:,} bytes, {found['wall_s']:.0f} s in all"
    )
