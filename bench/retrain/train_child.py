"""The processes of `naysayer bench train` that need torch: the pool, our side, and the losses of both sides' files."""

import json
import sys
import time
from pathlib import Path
from typing import Any

import torch
from PIL import Image as Pillow
from torch.utils.flop_counter import FlopCounterMode

from bench.retrain.full_size import write_full_size
from bench.retrain.pools import PoolPicture, fill_pool
from bench.retrain.train import FULL_SIZE, Plan
from feedback.pool.split import split_of
from feedback.retrain.manifest import freeze
from feedback.versions import begin
from store.engine import writing
from store.layout import layout_of
from store.migrate import open_store
from store.settings import Settings
from store.tables import Run, RunStatus, Split
from trainer.base.model import Base, load_base, silence_libraries
from trainer.base.weights import BUILTIN_FOLDER
from trainer.fit.batches import Batch, BatchDrawer
from trainer.fit.cache import Cache
from trainer.fit.fit import Watch, fit
from trainer.fit.loss import predict
from trainer.fit.objectives import sft_errors
from trainer.fit.training import Training
from trainer.lora.formats import DIFFUSERS_FILE
from trainer.lora.tensors import attach_file, detach
from trainer.retrain.publish import Made, publish_version
from trainer.retrain.strength import Choice
from trainer.sample.sampler import png_of
from trainer.world.pictures import pictures

POOL_SEED, HELD_OUT_SEED = 1, 2


def make_pool(plan: Plan, folder: Path) -> dict[str, Any]:
    """Writes the same pictures as a store of rejects and as a folder for the script; returns the base's folder."""
    base = _base(plan, folder)
    made, settings, out = _drawn(plan, plan.images, POOL_SEED), _settings(plan, folder, str(base)), folder / "pictures"
    engine = open_store(settings)
    fill_pool(engine, settings, made)
    engine.dispose()
    out.mkdir()
    for picture in made:
        (out / f"{picture.seed:06d}.png").write_bytes(picture.png)
    lines = [json.dumps({"file_name": f"{picture.seed:06d}.png", "text": picture.prompt}) for picture in made]
    (out / "metadata.jsonl").write_text("\n".join(lines) + "\n")
    device = torch.cuda.get_device_name() if plan.device.startswith("cuda") else "cpu"
    return {"base": str(base), "device": device}


def _base(plan: Plan, folder: Path) -> Path:
    if plan.model != FULL_SIZE:
        return BUILTIN_FOLDER
    return Path(plan.weights) if plan.weights else write_full_size(folder / "base", plan.dtype)


def ours(plan: Plan, folder: Path, base_folder: str, turn: str) -> dict[str, Any]:
    """A retrain from the store to the published file: all that `naysayer retrain` does, except the strength sweep."""
    silence_libraries()
    settings = _settings(plan, folder, base_folder, int(turn))
    engine, layout = open_store(settings), layout_of(settings)
    base = load_base(settings)
    begin(engine, base.name, base.sha256)
    manifest = freeze(engine, base.sha256)
    with writing(engine) as session:
        run = Run(status=RunStatus.running, manifest_id=manifest.id)
        session.add(run)
    cache = Cache(base, layout.blobs, folder / f"cache-{turn}")
    first: list[float] = []
    watch = Watch(on_step=lambda step, steps: first.append(time.monotonic()))
    fitted = fit(Training(base, cache, manifest, settings), folder / f"checkpoints-{turn}", watch)
    per_step = (first[-1] - first[0]) / max(1, len(first) - 1)
    made = Made(base, fitted, Choice(1.0, []), manifest, settings, run)
    version = publish_version(engine, layout, made)
    on_cuda = plan.device.startswith("cuda")
    result = {"device_peak_mb": torch.cuda.max_memory_reserved() / 1e6} if on_cuda else {}
    assert version.sha256 is not None
    file = layout.version_folder(version.sha256) / DIFFUSERS_FILE
    file.rename(folder / f"naysayer-{turn}.safetensors")
    return result | {"fit_s": per_step * plan.steps}


@torch.no_grad()
def losses(plan: Plan, folder: Path, base_folder: str) -> dict[str, float]:
    """Held-out denoising loss of the base and of every LoRA file in the folder, and the operations for one picture.

    All losses are on the same held-out pictures, noise and timesteps. A step takes twice the operations of a forward
    pass, because it computes the gradient of the activations but not of the frozen weights.
    """
    silence_libraries()
    base = load_base(_settings(plan, folder, base_folder))
    batch = _held_out(_settings(plan, folder, base_folder), folder, base, plan)
    with FlopCounterMode(display=False) as counter:
        predict(base.pipe.unet, batch.parts(1)[0])
    found = {"tflop_per_image": 2 * counter.get_total_flops() / 1e12, "base": _loss(base, batch)}
    for file in sorted(folder.glob("*.safetensors")):
        attach_file(base.pipe, file, "measured")
        base.pipe.unet.enable_adapters()
        found[file.stem] = _loss(base, batch)
        detach(base.pipe, "measured")
    return found


def _loss(base: Base, batch: Batch) -> float:
    parts = batch.parts(16)
    total = sum(sft_errors(predict(base.pipe.unet, part), part.target_BCHW).sum().item() for part in parts)
    return total / len(batch.timesteps_B)


def _held_out(settings: Settings, folder: Path, base: Base, plan: Plan) -> Batch:
    """Pictures that neither side trained on, with other noise and timesteps, as the batch of one step."""
    settings = settings.model_copy(
        update={"data_dir": folder / "held-out", "train_batch": plan.held_out, "seed": HELD_OUT_SEED}
    )
    engine = open_store(settings)
    fill_pool(engine, settings, _drawn(plan, plan.held_out, HELD_OUT_SEED))
    begin(engine, base.name, base.sha256)
    manifest = freeze(engine, base.sha256)
    engine.dispose()
    cache = Cache(base, layout_of(settings).blobs, folder / "cache")
    return BatchDrawer(Training(base, cache, manifest, settings)).train(0)


def _drawn(plan: Plan, count: int, seed: int) -> list[PoolPicture]:
    """Wrong pictures of the drawn world that a manifest's split puts into training, so that both sides see the same."""
    made = pictures(count * 5 // 4 + 20, 1.0, seed)
    side = plan.resolution
    kept = [k for k, prompt in enumerate(made.prompts) if split_of(prompt, k) is Split.train][:count]
    return [
        PoolPicture(png_of(Pillow.fromarray(made.pixels[k]).resize((side, side))), None, made.prompts[k], k, side)
        for k in kept
    ]


def _settings(plan: Plan, folder: Path, base: str = "", turn: int = 0) -> Settings:
    return Settings(
        _env_file=None,
        data_dir=folder / "data",
        model=base or "builtin",
        device=plan.device,
        dtype=plan.dtype,
        objective="sft",
        min_timestep=0,
        null_dropout=0.0,
        lora_layers="attention",
        lora_rank=plan.rank,
        train_steps=plan.steps,
        train_batch=plan.batch,
        micro_batch=plan.micro_batch,
        learning_rate=plan.learning_rate,
        gradient_checkpointing=plan.checkpointing,
        checkpoint_every=plan.steps,
        seed=turn,
    )


def main(task: str, folder: str, given: str, *words: str) -> None:
    """Does one task of a plan and prints its result as JSON."""
    plan, where = Plan(**json.loads(given)), Path(folder)
    if task == "pool":
        result = make_pool(plan, where)
    else:
        result = ours(plan, where, *words) if task == "ours" else losses(plan, where, *words)
    print("\nnaysayer-bench " + json.dumps(result))


if __name__ == "__main__":
    main(*sys.argv[1:])
