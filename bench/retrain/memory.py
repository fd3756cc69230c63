"""What the memory settings save and cost: naysayer bench memory

Each row runs in a separate process, so that peaks do not mix; all start from one that has loaded the libraries. A row
takes two steps of a fit or decodes pictures, by default and then with one setting changed. A peak is what the kernel
counted (VmHWM) beyond the peak of loading the model.
"""

import os
import re
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from store.process.child import end_with
from store.settings import Settings

Rows = dict[str, dict[str, Any]]
FIT: Rows = {
    "default": {},
    "micro_batch=1": {"micro_batch": 1},
    "gradient_checkpointing": {"gradient_checkpointing": True},
    "base_quantization=fp8": {"base_quantization": "fp8"},
    "base_quantization=int8": {"base_quantization": "int8"},
}
DECODE: Rows = {
    "default": {},
    "vae_decode=sliced": {"vae_decode": "sliced"},
    "vae_decode=tiled": {"vae_decode": "tiled"},
}
STEPS, BATCH = 2, 64
PICTURES, SIDE_PX = 4, 512
FIGURES = ("mb", "weights_mb", "seconds")


def bench_memory(fit: Rows = FIT, decode: Rows = DECODE, batch: int = BATCH) -> dict[str, Any]:
    """For each setting `mb`, `weights_mb` and processor `seconds`, and each relative to the default's (`mb_ratio`, …).

    A row is None if the package that it needs is not installed.
    """
    with tempfile.TemporaryDirectory(prefix="naysayer-bench-") as folder:
        settings = Settings(_env_file=None, data_dir=Path(folder), train_steps=STEPS, train_batch=batch, device="cpu")
        _apart(_fill, settings)
        fits = {name: _row(_fit, settings, changes) for name, changes in fit.items()}
        decodes = {name: _row(_decode, settings, changes) for name, changes in decode.items()}
    return {
        "fit": {"batch": batch, "steps": STEPS, "rows": _relative(fits)},
        "decode": {"pictures": PICTURES, "side_px": SIDE_PX, "rows": _relative(decodes)},
    }


def table(found: dict[str, Any]) -> str:
    """The figures for the terminal."""
    lines = [f"{'':<26}{'peak MB':>9}{'ratio':>7}{'weights':>9}{'ratio':>7}{'seconds':>9}{'ratio':>7}"]
    for part in ("fit", "decode"):
        lines.append(f"{part}:")
        for name, row in found[part]["rows"].items():
            cells = [f"{row[key]:9.1f}{row[key + '_ratio']:7.2f}" for key in FIGURES] if row else ["   not installed"]
            lines.append(f"  {name:<24}{''.join(cells)}")
    return "\n".join(lines)


def _row(measure: Any, settings: Settings, changes: dict[str, Any]) -> dict[str, float] | None:
    if changes.get("base_quantization") and find_spec("torchao") is None:
        return None
    return _apart(measure, settings.model_copy(update=changes))


def _apart(work: Any, settings: Settings) -> Any:
    """What `work(settings)` returns, run in a separate process."""
    context = get_context("forkserver")
    context.set_forkserver_preload(["trainer.fit.fit", "trainer.base.model"])
    with ProcessPoolExecutor(1, mp_context=context, initializer=_end_with_the_server) as pool:
        return pool.submit(work, settings).result()


def _end_with_the_server() -> None:
    """Asks the system to stop this process when the one it was forked from ends, as that does with the bench."""
    end_with(os.getppid())


def _relative(rows: dict[str, dict[str, float] | None]) -> dict[str, dict[str, float] | None]:
    default = rows["default"]
    assert default is not None
    return {
        name: row and row | {f"{key}_ratio": row[key] / default[key] for key in FIGURES} for name, row in rows.items()
    }


def _fill(settings: Settings) -> None:
    import torch

    from bench.retrain.pools import PoolPicture, fill_pool
    from store.migrate import open_store
    from trainer.sample.sampler import latent_file

    torch.manual_seed(0)
    drawn = [
        PoolPicture(b"picture %d" % k, latent_file(torch.randn(4, 16, 16)), "a red star", k, 64)
        for k in range(settings.train_batch)
    ]
    fill_pool(open_store(settings), settings, drawn)


def _fit(settings: Settings) -> dict[str, float]:
    from feedback.retrain.manifest import freeze
    from store.layout import layout_of
    from store.migrate import open_store
    from trainer.base.model import load_base, silence_libraries
    from trainer.fit.cache import Cache
    from trainer.fit.fit import Watch, fit
    from trainer.fit.training import Training

    silence_libraries()
    base, layout = load_base(settings), layout_of(settings)
    manifest = freeze(open_store(settings), base.sha256)
    training = Training(base, Cache(base, layout.blobs, layout.cache), manifest, settings)
    with tempfile.TemporaryDirectory() as folder:
        return _measured(base, lambda: fit(training, Path(folder) / "checkpoints", Watch()))


def _decode(settings: Settings) -> dict[str, float]:
    import torch

    from trainer.base.model import load_base, silence_libraries
    from trainer.base.vae import decode_latents

    silence_libraries()
    base = load_base(settings)
    side = SIDE_PX // base.pipe.vae_scale_factor
    latents = torch.randn(PICTURES, 4, side, side, generator=torch.Generator().manual_seed(0))
    return _measured(base, lambda: decode_latents(base, latents))


def _measured(base: Any, work: Any) -> dict[str, float]:
    weights = sum(_stored_bytes(weight) for weight in base.pipe.unet.parameters())
    before, began = _peak_mb(), time.process_time()
    work()
    return {"mb": _peak_mb() - before, "weights_mb": weights / 2**20, "seconds": time.process_time() - began}


def _stored_bytes(weight: Any) -> int:
    """The bytes of a weight; a quantized weight consists of several tensors, and each counts."""
    if not hasattr(weight, "__tensor_flatten__"):
        return weight.nbytes
    names, _ = weight.__tensor_flatten__()
    return sum(_stored_bytes(getattr(weight, name)) for name in names)


def _peak_mb() -> float:
    # Not ru_maxrss: that starts at the peak of the process that started this one.
    found = re.search(r"^VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) / 1024
