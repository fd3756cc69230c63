"""What the parts of the check work with: a base that is written once and loaded like anybody's, and a rated store.

At most one base is in this process at a time.
"""

import gc
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from accelerate.utils.memory import clear_device_cache

from bench.retrain.full_size import write_full_size
from bench.retrain.pools import PoolPicture, fill_pool
from feedback.pool.split import split_of
from feedback.retrain.manifest import freeze
from store.errors import BadRequest
from store.layout import layout_of
from store.migrate import open_store
from store.settings import Settings
from store.tables import Split, Verdict
from trainer.base.free import memory_of
from trainer.base.model import Base, load_base, pick_device
from trainer.base.weights import BUILTIN_FOLDER, find_sources
from trainer.card.sizes import Sizes, sizes_of
from trainer.fit.cache import Cache
from trainer.fit.fit import Fitted, Watch, fit
from trainer.fit.training import Training
from trainer.lora.tensors import TRAINED, detach
from trainer.sample.sampler import latent_file

BUILTIN, FULL_SIZE = "builtin", "full-size-random"
SIDES_PX = (1024, 512, 256, 128)
ON_A_CPU_PX, FITS_ON_A_CPU_PX = 256, 128
MOST_ROWS = 4
"""So many rows the checks compute gradients of at once."""
BESIDE = 10**9
"""Bytes left for what is not counted."""
DISK_BYTES = 10 * 10**9
"""The model, checkpoints of its fits, and pictures."""
PICTURES = 16
PROMPTS = ("a red star on a blue background", "a blue star on a red background", "a hand with five fingers")


@dataclass
class Subject:
    """The model under examination. The checks take pictures of `side_px`, whole fits among them of `fit_px`; speed and
    memory are looked at in `full_px`.

    `kept` holds what belongs to the base that is loaded now.
    """

    name: str
    folder: Path
    settings: Settings
    side_px: int
    fit_px: int
    full_px: int
    kept: dict[Any, Any] = field(default_factory=dict)

    @property
    def device(self) -> torch.device:
        return torch.device(self.settings.device)

    @property
    def base(self) -> Base:
        """The base, loaded when it is first asked for."""
        if "base" not in self.kept:
            self.kept["base"] = load_base(self.settings)
        found: Base = self.kept["base"]
        return found

    @property
    def sizes(self) -> Sizes:
        """The sizes of its work in `full_px`."""
        return sizes_of(find_sources(self.settings), self.at(self.full_px), self.device, self.folder / "sizes")

    def at(self, side_px: int, **changes: Any) -> Settings:
        """The settings for pictures of that side, with changes."""
        return self.settings.model_copy(update={"width_px": side_px, "height_px": side_px} | changes)

    def drop(self) -> None:
        """Takes the base out of this process; the next one who asks loads it again."""
        self.kept.clear()
        gc.collect()
        clear_device_cache(garbage_collection=True)

    def training(self, side_px: int, **changes: Any) -> Training:
        """The rated store's pool, frozen, for a fit of the base under settings with these changes."""
        store = self.rated(side_px)
        key = ("cache", side_px)
        if key not in self.kept:  # it hashes the text encoders, which takes seconds
            layout = layout_of(store)
            self.kept[key] = Cache(self.base, layout.blobs, layout.cache)
        engine = open_store(store)
        manifest = freeze(engine, self.base.sha256)
        engine.dispose()
        settings = store.model_copy(update=changes)
        return Training(replace(self.base, settings=settings), self.kept[key], manifest, settings)

    def rated(self, side_px: int) -> Settings:
        """The settings of a store with rated pictures of that side, half of them rejects; random latents, no pixels."""
        settings = self.at(side_px, data_dir=self.folder / f"rated-{side_px}")
        if not settings.data_dir.exists():
            engine = open_store(settings)
            fill_pool(engine, settings, _pictures(side_px, self.base), self.base)
            engine.dispose()
        return settings

    def fit(self, side_px: int, watch: Watch | None = None, folder: Path | None = None, **changes: Any) -> Fitted:
        """A fit of that pool under settings with these changes; the adapter stays on.

        Its checkpoints go into `folder`, or into one that is removed when the fit ends.
        """
        training = self.training(side_px, **changes)
        if folder is not None:
            return fit(training, folder, watch or Watch())
        with TemporaryDirectory(dir=self.folder) as own:
            return fit(training, Path(own), watch or Watch())

    @contextmanager
    def taken_off(self) -> Iterator[None]:
        """Inside it an adapter may be put on; afterwards it is off."""
        try:
            yield
        finally:
            if TRAINED in (getattr(self.base.pipe.unet, "peft_config", None) or {}):
                detach(self.base.pipe, TRAINED)


def prepare(folder: Path, name: str, wanted: str, tokenizers: Path | None = None) -> Subject:
    """Writes the model into `folder`, with random weights, unless it is the built-in one.

    The checks take the largest pictures whose gradients fit into the memory that is free; on a CPU small ones.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # before cuBLAS starts, for deterministic fits
    device = _with_index(pick_device(wanted))
    settings = Settings(
        _env_file=None,
        data_dir=folder / "data",
        device=str(device),
        turns="never",
        auto_retrain=False,
        cross_fit=False,
        dtype="fp32" if name == BUILTIN else "bf16",
    )
    if name == BUILTIN:
        subject = Subject(name, folder, settings, 64, 64, 64)
        return replace(subject, settings=subject.at(64))
    _require_disk(folder)
    torch.manual_seed(0)
    where = write_full_size(folder / "model", "bf16", device, tokenizers or BUILTIN_FOLDER)
    clear_device_cache(garbage_collection=True)
    settings = settings.model_copy(update={"model": str(where)})
    subject = Subject(name, folder, settings, ON_A_CPU_PX, FITS_ON_A_CPU_PX, SIDES_PX[0])
    if device.type != "cpu":
        side_px = side_that_fits(subject.sizes, memory_of(device).free)
        subject = replace(subject, side_px=side_px, fit_px=side_px)
    return replace(subject, settings=subject.at(subject.side_px))


def side_that_fits(sizes: Sizes, free: int) -> int:
    """The largest side whose gradients fit beside the UNet, in pixels; attention keeps no matrix, so area decides.

    The text encoders and the VAE are away meanwhile.

    >>> from bench.card.computed import GB
    >>> sdxl = Sizes(*[5 * GB, 0, 2, 0, 0, 0, 0, GB, 10 * GB, GB, 0, 3, 0, 0, 0])
    >>> [side_that_fits(sdxl, free * GB) for free in (80, 24, 12, 7)]
    [1024, 512, 256, 128]
    """
    fixed = sizes.unet + sizes.lora + BESIDE
    fits = (side for side in SIDES_PX if fixed + MOST_ROWS * sizes.latent * (side / SIDES_PX[0]) ** 2 <= free)
    return next(fits, SIDES_PX[-1])


def _with_index(device: torch.device) -> torch.device:
    """A card by its number, which torch wants where its memory is capped."""
    is_open = device.type == "cuda" and device.index is None
    return torch.device("cuda", torch.cuda.current_device()) if is_open else device


def _require_disk(folder: Path) -> None:
    """Raises BadRequest where the model has no room."""
    free = shutil.disk_usage(folder).free
    if free < DISK_BYTES:
        raise BadRequest(
            f"{folder} has {free / 1e9:.1f} GB free, and the model needs {DISK_BYTES / 1e9:.0f} GB; name another "
            "folder with --folder"
        )


def _pictures(side_px: int, base: Base) -> list[PoolPicture]:
    """Random latents, keeps and rejects in turn, none of which is held out of training."""
    channels, side = base.pipe.vae.config.latent_channels, side_px // base.pipe.vae_scale_factor
    found: list[PoolPicture] = []
    seed = 0
    while len(found) < PICTURES:
        prompt, seed = PROMPTS[seed % len(PROMPTS)], seed + 1
        if split_of(prompt, seed) is Split.train:
            latent = torch.randn(channels, side, side, generator=torch.Generator().manual_seed(seed))
            verdict = Verdict.keep if len(found) % 2 else Verdict.reject
            found.append(PoolPicture(b"picture %d" % seed, latent_file(latent), prompt, seed, side_px, verdict))
    return found
