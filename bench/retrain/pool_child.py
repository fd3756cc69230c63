"""The processes of `naysayer bench pool-size` that need torch: one fills a store, one prepares a retrain of it."""

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image as Pillow
from sqlalchemy import delete
from sqlmodel import col, select

from bench.retrain.pools import PoolPicture, fill_pool
from feedback.retrain.manifest import freeze
from feedback.versions import begin
from store.engine import writing
from store.layout import layout_of
from store.migrate import open_store
from store.settings import Settings
from store.tables import Manifest, ManifestItem
from trainer.base.model import load_base, silence_libraries
from trainer.fit.batches import BatchDrawer
from trainer.fit.cache import Cache
from trainer.fit.fit import Watch, fit
from trainer.fit.training import Training
from trainer.sample.sampler import latent_file, png_of
from trainer.world.scenes import SUBJECTS, all_scenes, phrase

STEPS_TAKEN = 2


def fill(folder: Path, size: int, new: int) -> None:
    """Fills a store; an earlier retrain has seen its pool, except for `new` rejects that have only pixels."""
    settings = _settings(folder)
    engine, random = open_store(settings), np.random.default_rng(0)
    prompts = _prompts(size, random)
    old = [
        PoolPicture(b"picture %d" % k, latent_file(torch.randn(4, 16, 16)), prompt, k, 64)
        for k, prompt in enumerate(prompts[new:])
    ]
    fill_pool(engine, settings, old)
    _prepare(settings, time.monotonic())
    noise = [Pillow.fromarray(random.integers(0, 256, (64, 64, 3), np.uint8)) for _ in range(new)]
    added = [PoolPicture(png_of(picture), None, f"{prompts[k]}, new", size + k, 64) for k, picture in enumerate(noise)]
    fill_pool(engine, settings, added)
    engine.dispose()


def prepare(folder: Path, started: float) -> dict[str, float]:
    """The seconds that preparation and a batch take. A few steps follow, so that their memory counts too.

    `started` is the process's start on the monotonic clock, because loading the libraries counts. Manifest and cache
    are restored afterwards, so that the next round has the same work.
    """
    settings = _settings(folder)
    before = _cached(settings)
    result = _prepare(settings, started)
    for path in _cached(settings) - before:
        path.unlink()
    with writing(open_store(settings)) as session:
        newest = session.exec(select(Manifest.id).order_by(col(Manifest.created_at).desc())).first()
        session.execute(delete(ManifestItem).where(col(ManifestItem.manifest_id) == newest))
        session.execute(delete(Manifest).where(col(Manifest.id) == newest))
    return result


def _cached(settings: Settings) -> set[Path]:
    return {path for path in layout_of(settings).cache.rglob("*") if path.is_file()}


def _prepare(settings: Settings, started: float) -> dict[str, float]:
    silence_libraries()
    marks = [started]
    engine, base = open_store(settings), load_base(settings)
    begin(engine, base.name, base.sha256)
    marks.append(time.monotonic())
    manifest = freeze(engine, base.sha256)
    marks.append(time.monotonic())
    cache = Cache(base, layout_of(settings).blobs, layout_of(settings).cache)
    training = Training(base, cache, manifest, settings)
    draw = BatchDrawer(training)
    encoded = cache.prepare(*draw.needed())
    marks.append(time.monotonic())
    cpu_s = time.process_time()
    for step in range(settings.train_steps):
        draw.train(step)
    batch_ms = (time.monotonic() - marks[-1]) / settings.train_steps * 1000
    short = training.with_settings(train_steps=STEPS_TAKEN, checkpoint_every=STEPS_TAKEN)
    fit(short, settings.data_dir / f"checkpoints-{time.monotonic_ns()}", Watch())
    return {
        "load_s": marks[1] - marks[0],
        "freeze_s": marks[2] - marks[1],
        "encode_s": marks[3] - marks[2],
        "prepare_s": marks[3] - marks[0],
        "prepare_cpu_s": cpu_s,
        "encoded": encoded,
        "batch_ms": batch_ms,
    }


def _prompts(size: int, random: np.random.Generator) -> Sequence[str]:
    """One prompt for each picture; a few hundred of them differ, as in a store's prompt list."""
    scenes = [scene for subject in SUBJECTS for scene in all_scenes(subject)]
    different = [phrase(scene, random) for scene in scenes]
    return [different[k % len(different)] for k in range(size)]


def _settings(folder: Path) -> Settings:
    return Settings(_env_file=None, data_dir=folder, objective="sft", train_steps=600, device="cpu", dtype="fp32")


if __name__ == "__main__":
    task, where, *words = sys.argv[1:]
    if task == "fill":
        fill(Path(where), *map(int, words))
    else:
        print("\nnaysayer-bench " + json.dumps(prepare(Path(where), float(words[0]))))
