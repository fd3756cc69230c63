"""Captioned pictures of a drawn world, a known share of them wrong."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from trainer.world.drawing import FAULTS, draw
from trainer.world.pen import SIZE
from trainer.world.scenes import SUBJECTS, all_scenes, phrase

FAULT_WEIGHTS = {"colour": 0.16, "washed out": 0.10}
"""How often a wrong picture is wrong in these ways; the rest is split over the subject's own faults."""

Rng = np.random.Generator


@dataclass(frozen=True)
class Pictures:
    """`pixels` uint8 [N, 64, 64, 3]; prompt, scene and fault (None: right) of each."""

    pixels: np.ndarray
    prompts: list[str]
    scenes: list[Any]
    faults: list[str | None]


class Maker(NamedTuple):
    """A world's subjects, the scenes of a subject, one of its faults, a scene's prompt, and its picture."""

    subjects: Sequence[str]
    all_scenes: Callable[[str], Sequence[Any]]
    pick_fault: Callable[[str, Rng], str]
    phrase: Callable[[Any, Rng], str]
    draw: Callable[[Any, Rng, str | None], Image.Image]


def make_pictures(maker: Maker, count: int, faulty: float, seed: int) -> Pictures:
    """`count` drawn pictures, subjects in turn, each wrong with chance `faulty` (0 to 1)."""
    rng = np.random.default_rng(seed)
    choices = [maker.all_scenes(maker.subjects[k % len(maker.subjects)]) for k in range(count)]
    scenes = [scenes[int(rng.integers(len(scenes)))] for scenes in choices]
    faults = [maker.pick_fault(scene.subject, rng) if rng.random() < faulty else None for scene in scenes]
    prompts = [maker.phrase(scene, rng) for scene in scenes]
    pixels = np.empty((count, SIZE, SIZE, 3), np.uint8)
    for k, (scene, fault) in enumerate(zip(scenes, faults, strict=True)):
        pixels[k] = np.asarray(maker.draw(scene, rng, fault))
    return Pictures(pixels, prompts, scenes, faults)


def pictures(count: int, faulty: float, seed: int) -> Pictures:
    """`count` pictures of the built-in world."""
    return make_pictures(Maker(SUBJECTS, all_scenes, pick_fault, phrase, draw), count, faulty, seed)


def pick_fault(subject: str, rng: np.random.Generator) -> str:
    """One of the subject's faults, by FAULT_WEIGHTS."""
    own = [f for f in FAULTS[subject] if f not in FAULT_WEIGHTS]
    rest = (1 - sum(FAULT_WEIGHTS.values())) / len(own)
    weights = [FAULT_WEIGHTS.get(f, rest) for f in FAULTS[subject]]
    return FAULTS[subject][rng.choice(len(weights), p=weights)]
