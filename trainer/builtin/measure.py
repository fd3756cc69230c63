"""How often a drawn world's model is wrong, judged from its pixels.

python -m trainer.builtin.measure trainer/builtin/model --count 594
python -m trainer.builtin.measure bench/compositions/model --world bench.compositions
"""

import argparse
import importlib
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from diffusers import StableDiffusionXLPipeline
from PIL import Image
from tqdm import tqdm

import trainer.world
from feedback.statistics import Interval, wilson
from trainer.builtin.running import device_for
from trainer.builtin.worlds import World

BATCH = 36
FIRST_SEED = 1_000_000
"""Far from the seeds that people type, so that no measured picture is in a store."""


@dataclass(frozen=True)
class Rate:
    """Pictures judged, how many were wrong, and how often each fault was seen."""

    count: int
    wrong: int
    faults: dict[str, int]

    @property
    def interval(self) -> Interval:
        """The 95 % Wilson interval of the share wrong (Wilson 1927)."""
        return wilson(self.wrong, self.count)


def measure(
    model: Path, count: int, guidance: float | None = None, seed: int = FIRST_SEED, world: World = trainer.world
) -> dict[str, Rate]:
    """The rate of each subject and of "all", over `count` pictures of the world's default prompts in turn.

    `guidance` None is the model's own default. Picture k has seed `seed` + k.
    """
    seen: dict[str, list[tuple[str, ...]]] = {"all": []}
    for prompt, picture in sample(model, count, guidance, seed, world):
        faults = world.judge(picture, prompt)
        seen["all"].append(faults)
        if scene := world.read_prompt(prompt):
            seen.setdefault(scene.subject, []).append(faults)
    return {group: _rate(faults) for group, faults in seen.items()}


def sample(
    model: Path, count: int, guidance: float | None = None, seed: int = FIRST_SEED, world: World = trainer.world
) -> Iterator[tuple[str, Image.Image]]:
    """Prompt and picture, `count` times, by the stock pipeline with the model folder's defaults."""
    pipe = StableDiffusionXLPipeline.from_pretrained(model, use_safetensors=True).to(device_for())
    pipe.set_progress_bar_config(disable=True)
    settings = json.loads((model / "naysayer.json").read_text(encoding="utf-8"))
    settings |= {} if guidance is None else {"guidance_scale": guidance}
    prompts = world.default_prompts()
    jobs = [(prompts[k % len(prompts)], seed + k) for k in range(count)]
    with tqdm(total=count, desc="sample") as bar:
        for start in range(0, count, BATCH):
            part = jobs[start : start + BATCH]
            generators = [torch.Generator().manual_seed(number) for _, number in part]
            asked = [prompt for prompt, _ in part]
            yield from zip(asked, pipe(asked, generator=generators, **settings).images, strict=True)
            bar.update(len(part))


def table(rates: dict[str, Rate]) -> str:
    """The rates as a Markdown table, "all" last."""
    lines = ["| subject | pictures | judged wrong | 95 % interval | faults seen |", "|---|---|---|---|---|"]
    for group in sorted(rates, key=lambda name: name == "all"):
        rate = rates[group]
        low, high = rate.interval
        faults = ", ".join(f"{name} {number}" for name, number in rate.faults.items())
        share = f"{100 * rate.wrong / rate.count:.1f} %"
        lines.append(f"| {group} | {rate.count} | {share} | {100 * low:.1f}–{100 * high:.1f} % | {faults} |")
    return "\n".join(lines)


def _rate(faults: list[tuple[str, ...]]) -> Rate:
    tally = Counter(fault for found in faults for fault in found)
    return Rate(len(faults), sum(bool(found) for found in faults), dict(tally.most_common()))


def _main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--count", type=int, default=594)
    parser.add_argument("--guidance", type=float)
    parser.add_argument("--seed", type=int, default=FIRST_SEED)
    parser.add_argument("--world", default="trainer.world", help="the module of the world that the model draws")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    asked = parser.parse_args()
    rates = measure(asked.model, asked.count, asked.guidance, asked.seed, importlib.import_module(asked.world))
    print(json.dumps({k: asdict(r) for k, r in rates.items()}) if asked.json else table(rates))


if __name__ == "__main__":
    _main()
