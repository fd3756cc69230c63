"""Pictures a minute of sampler settings, and whether their pictures are as good: the same prompts and seeds, judged.

Each round draws one batch under every setting, in a new random order, so that other work on the machine affects all
alike. A speed is a ratio to the default of the same round; the figure is the median over the rounds. On a CPU the time
is this process's processor time, on a GPU the wall clock's. Judging is not timed, nor
is what is prepared once for a version.
"""

import random
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, NamedTuple

import torch
from tqdm import trange

from bench.loop.worlds import World, find_world, world_settings
from feedback.sample.work import Job
from feedback.statistics import wilson
from feedback.succession import PLAIN
from feedback.versions import get_version
from store.layout import layout_of
from store.migrate import read_store
from store.settings import Settings
from store.tables import Version
from trainer.base.model import Base, load_base, silence_libraries
from trainer.base.schedule import choose_scheduler
from trainer.base.vae import decode_latents
from trainer.sample.sampler import Sampler

TIMED_ONLY = "none"
"""Instead of a world: the settings' own model, whose pictures nobody judges."""


class Setting(NamedTuple):
    """How pictures are drawn: a share of the model's steps, and changes of the settings."""

    name: str
    share: float = 1.0
    changes: Mapping[str, Any] = MappingProxyType({})


INTERVAL = {"guidance_sigma_min": 0.28, "guidance_sigma_max": 5.42}
"""The best interval of SDXL in Kynkäänniemi et al. 2024, table 2."""
DPM = {"scheduler": "dpmpp_2m_karras"}
SETTINGS = (
    Setting("default"),
    Setting("compiled", 1.0, {"compile": True}),
    Setting("the model's sampler, 2/3 of the steps", 2 / 3),
    Setting("dpmpp_2m_karras, 2/3 of the steps", 2 / 3, DPM),
    Setting("dpmpp_2m_karras, half of the steps", 1 / 2, DPM),
    Setting("guidance at sigma 0.28 to 5.42", 1.0, INTERVAL),
    Setting("guidance from sigma 0.28 up", 1.0, {"guidance_sigma_min": 0.28}),
    Setting("dpmpp_2m_karras, 2/3, guidance from 0.28 up", 2 / 3, DPM | {"guidance_sigma_min": 0.28}),
)


class Plan(NamedTuple):
    """`pictures` of each setting, `batch` at once, on prompts and seeds that follow from `seed`."""

    world: str
    version: int
    pictures: int
    batch: int
    seed: int


@dataclass
class Drawn:
    """What one setting drew: seconds of each round, and the pictures that the judge finds wrong."""

    seconds: list[float] = field(default_factory=list)
    wrong: list[bool] = field(default_factory=list)


def bench_pace(settings: Settings, plan: Plan, chosen: Sequence[Setting] = SETTINGS) -> dict[str, Any]:
    """For each setting pictures a minute, their ratio to the default's, and wrong pictures with a 95 % interval."""
    silence_libraries()
    world = None if plan.world == TIMED_ONLY else find_world(plan.world)
    settings = settings.model_copy(update={"sample_batch": plan.batch})
    base = load_base(world_settings(world, settings) if world else settings)
    version = Version(number=PLAIN, base_model=base.name, base_sha256=base.sha256)
    if plan.version != PLAIN:
        version = get_version(read_store(settings), plan.version)
    sampler = Sampler(base, layout_of(settings))
    bases = {one.name: base_under(base, one) for one in chosen}
    jobs = jobs_of(world or find_world("drawn"), plan)
    found = {one.name: Drawn() for one in chosen}
    for start in trange(0, len(jobs), plan.batch, desc="rounds"):
        some = jobs[start : start + plan.batch]
        for name in random.Random(f"{plan.seed} {start}").sample(list(found), len(found)):
            _draw(sampler, bases[name], version, some, found[name], world)
    about = {"model": base.name, "world": plan.world, "version": plan.version, "device": base.device_words}
    about |= {"pictures": len(jobs), "batch": plan.batch, "seed": plan.seed, "steps": base.plain.num_inference_steps}
    return about | {"settings": [_figures(one, found, len(jobs), plan.batch) for one in chosen]}


def base_under(base: Base, setting: Setting) -> Base:
    """The base under that setting; it shares the weights with the one that is given."""
    settings = base.settings.model_copy(update=setting.changes)
    scheduler = choose_scheduler(base.pipe.scheduler, settings.scheduler)
    pipe = type(base.pipe).from_pipe(base.pipe, scheduler=scheduler)
    pipe.set_progress_bar_config(disable=True)
    steps = max(1, round(setting.share * base.plain.num_inference_steps))
    conditions = replace(base.plain.conditions, is_compiled=settings.compile or None)
    plain = replace(base.plain, num_inference_steps=steps, conditions=conditions)
    return replace(base, pipe=pipe, settings=settings, plain=plain)


def jobs_of(world: World, plan: Plan) -> list[Job]:
    """Prompts of the world, its subjects in turn, each with another seed."""
    prompts = world.prompts(plan.seed, plan.pictures, world.subjects, ())
    return [Job(prompt, 1000 * plan.seed + number) for number, prompt in enumerate(prompts)]


def _draw(
    sampler: Sampler, base: Base, version: Version, jobs: Sequence[Job], into: Drawn, world: World | None
) -> None:
    sampler.base = base
    sampler.prepare(version)
    began = _clock(base)
    drawn = sampler.draw_latents(version, jobs)
    pictures = decode_latents(base, torch.stack(drawn))
    into.seconds.append(_clock(base) - began)
    if world:
        into.wrong += [bool(world.judge(picture, job.prompt)) for picture, job in zip(pictures, jobs, strict=True)]


def _clock(base: Base) -> float:
    if base.device.type == "cpu":
        return time.process_time()
    if base.device.type == "cuda":
        torch.cuda.synchronize(base.device)
    return time.perf_counter()


def _figures(setting: Setting, found: dict[str, Drawn], pictures: int, batch: int) -> dict[str, Any]:
    own, default = found[setting.name], next(iter(found.values()))
    # The first round warms up, and compiles.
    rounds = list(zip(default.seconds, own.seconds, strict=True))
    pairs = rounds[1:] or rounds
    ratios = [theirs / mine for theirs, mine in pairs]
    figures: dict[str, Any] = {
        "setting": setting.name,
        "per_minute": 60 * batch / statistics.median(mine for _, mine in pairs),
        "ratio": statistics.median(ratios),
        "ratio_range": [min(ratios), max(ratios)],
    }
    if not own.wrong:
        return figures
    low, high = wilson(sum(own.wrong), pictures)
    both = list(zip(default.wrong, own.wrong, strict=True))
    better, worse = both.count((True, False)), both.count((False, True))
    return figures | {"wrong": sum(own.wrong), "interval": [low, high], "better": better, "worse": worse}


def table(found: dict[str, Any]) -> str:
    """The figures for the terminal, as a Markdown table."""
    lines = [
        f"{found['model']}, v{found['version']}, {found['device']}: {found['pictures']} pictures of each setting, "
        f"{found['batch']} at once, seed {found['seed']}, {found['steps']} steps by default",
        "",
        "| setting | pictures a minute | ratio (range) | wrong (95 % interval) | better, worse than the default |",
        "| --- | --- | --- | --- | --- |",
    ]
    for one in found["settings"]:
        low, high = one["ratio_range"]
        judged = "not judged | "
        if "wrong" in one:
            share, (least, most) = one["wrong"] / found["pictures"], one["interval"]
            judged = f"{share:.1%} ({least:.1%} to {most:.1%}) | {one['better']}, {one['worse']}"
        speed = f"{one['per_minute']:.3g} | {one['ratio']:.2f} ({low:.2f} to {high:.2f})"
        lines.append(f"| {one['setting']} | {speed} | {judged} |")
    return "\n".join(lines)
