"""How much each arm teaches: the share of wrong pictures of new prompts and seeds, paired.

Finished arms are kept in a file; a second call continues where the first stopped.
"""

import json
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

from tqdm import tqdm

from bench.imported.arms import ARMS, SAMPLED, WRITTEN, Arms, rated_pictures
from bench.loop.meter import Meter
from bench.loop.rows import Plan, Row
from bench.loop.summary import change_of, rate_of
from bench.loop.worlds import find_world, world_settings
from feedback.check.telling import auc
from store.layout import layout_of
from store.process.child import end_with
from store.settings import Settings

BASE = "base"


class Taught(NamedTuple):
    """What an arm of one replicate taught.

    `wrong` says of each evaluation picture whether it is wrong. `auc` is how well the LoRA tells the base's wrong
    pictures from its right ones. `encoded_error` is how far the VAE's encoding of the files lies from the sampler's
    own latents: root mean square over their standard deviation; 0 where those are known.
    """

    replicate: int
    arm: str
    wrong: list[bool]
    auc: float | None = None
    encoded_error: float = 0.0


def measure(
    settings: Settings, folder: Path, plan: Plan, arms: Sequence[str], replicates: Sequence[int], processes: int
) -> list[Taught]:
    """What the base and every arm leave wrong, in all replicates. `folder` keeps stores and finished arms."""
    folder.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(
        processes, mp_context=get_context("spawn"), initializer=end_with, initargs=(os.getpid(),)
    ) as workers:
        running = [workers.submit(measure_one, settings, folder, plan, arms, seed) for seed in replicates]
        for done in tqdm(as_completed(running), total=len(running), desc="imported", unit="replicate"):
            done.result()
    return [one for seed in replicates for one in finished(folder, seed)]


def measure_one(settings: Settings, folder: Path, plan: Plan, arms: Sequence[str], seed: int) -> None:
    """Measures the arms that one replicate lacks."""
    import torch

    from trainer.base.model import load_base, silence_libraries

    torch.set_num_threads(1)
    silence_libraries()
    world, known = find_world(plan.world), {one.arm for one in finished(folder, seed)}
    stores = Arms(world, settings, folder / f"replicate-{seed}", seed, plan.votes, plan.error_rate)
    meter = Meter(load_base(world_settings(world, settings)), stores, plan)
    for arm in (BASE, *arms):
        if arm not in known:
            with _file(folder, seed).open("a") as file:
                file.write(json.dumps(_judge(meter, stores, seed, arm)._asdict()) + "\n")


def finished(folder: Path, seed: int) -> list[Taught]:
    """The arms of a replicate that are measured."""
    path = _file(folder, seed)
    return [Taught(**json.loads(line)) for line in path.read_text().splitlines()] if path.exists() else []


def summary(taught: Sequence[Taught]) -> dict[str, Any]:
    """By arm: the share wrong with its interval, and the change against `sampled` and the base on the same pictures."""
    arms = [arm for arm in (BASE, *ARMS) if any(one.arm == arm for one in taught)]
    found: dict[str, Any] = {}
    for arm in arms:
        own = [one for one in taught if one.arm == arm]
        known = [one.auc for one in own if one.auc is not None]
        found[arm] = rate_of([wrong for one in own for wrong in one.wrong]).model_dump() | {
            "by_replicate": {one.replicate: sum(one.wrong) for one in own},
            "auc": fmean(known) if known else None,
            "encoded_error": fmean(one.encoded_error for one in own),
            "against": {
                other: change_of(_pairs(taught, other, arm)).model_dump()
                for other in (BASE, SAMPLED)
                if other in arms and other != arm
            },
        }
    return found


def table(taught: Sequence[Taught]) -> str:
    """The figures for the terminal."""
    lines = []
    for arm, row in summary(taught).items():
        lines.append(f"{arm:<14} {row['rate']:6.1%} wrong ({row['low']:.1%} to {row['high']:.1%}) of {row['n']}")
        lines[-1] += f"   AUC {row['auc']:.2f}" if row["auc"] is not None else ""
        lines[-1] += f"   encoded {row['encoded_error']:.2f} off" if row["encoded_error"] else ""
        for other, change in row["against"].items():
            words = f"{100 * change['paired']:+.1f} ({100 * change['paired_low']:+.1f} to "
            words += f"{100 * change['paired_high']:+.1f}) points, {change['mended']} mended, {change['broke']} broken"
            lines.append(f"    against {other:<8} {words}")
    return "\n".join(lines)


def encoded_error(base: Any, sampled: Settings, imported: Settings) -> float:
    """The root mean square distance of the encoded files from the sampler's latents, over those latents' deviation."""
    import torch
    from safetensors.torch import load

    from trainer.base.vae import encode_picture

    own, files = layout_of(sampled).blobs, layout_of(imported).blobs
    by_seed = {(one.prompt, one.image.seed): one.image.sha256 for one in rated_pictures(imported)}
    latents, means = [], []
    for one in rated_pictures(sampled):
        assert one.image.latent_sha256 is not None
        latents.append(load(own.get(one.image.latent_sha256))["latent"].float().cpu())
        means.append(encode_picture(base, files.get(by_seed[one.prompt, one.image.seed])).mean.float().cpu())
    latents_BCHW, means_BCHW = torch.stack(latents), torch.stack(means)
    return float((means_BCHW - latents_BCHW).square().mean().sqrt() / latents_BCHW.std())


def _judge(meter: Meter, stores: Arms, seed: int, arm: str) -> Taught:
    if arm == BASE:
        return Taught(seed, arm, [bool(found) for found in meter.measure(Row(BASE)).faults])
    judged = meter.measure(Row(arm, arm, "same-prompt", 1))
    error = encoded_error(meter.base, stores.rated(SAMPLED), stores.rated(arm)) if arm in WRITTEN else 0.0
    told = auc(judged.base_scores, judged.base_wrong)
    return Taught(seed, arm, [bool(found) for found in judged.faults], told, error)


def _pairs(taught: Sequence[Taught], before: str, after: str) -> list[tuple[bool, bool]]:
    """Of each picture that both arms drew, whether it is wrong."""
    known = {(one.replicate, one.arm): one.wrong for one in taught}
    return [
        pair
        for one in taught
        if one.arm == after and (one.replicate, before) in known
        for pair in zip(known[one.replicate, before], one.wrong, strict=True)
    ]


def _file(folder: Path, seed: int) -> Path:
    return folder / f"taught-{seed}.jsonl"
