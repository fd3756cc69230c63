"""Captioned pictures of the world, a known share of them wrong."""

from dataclasses import dataclass

import numpy as np

from trainer.world.drawing import FAULTS, draw
from trainer.world.pen import SIZE
from trainer.world.scenes import SUBJECTS, Scene, all_scenes, phrase

FAULT_WEIGHTS = {"colour": 0.16, "washed out": 0.10}
"""How often a wrong picture is wrong in these ways; the rest is split over the subject's own faults."""


@dataclass(frozen=True)
class Pictures:
    """`pixels` uint8 [N, 64, 64, 3]; prompt, scene and fault (None: right) of each."""

    pixels: np.ndarray
    prompts: list[str]
    scenes: list[Scene]
    faults: list[str | None]


def pictures(count: int, faulty: float, seed: int) -> Pictures:
    """`count` drawn pictures, subjects in turn, each wrong with chance `faulty` (0 to 1)."""
    rng = np.random.default_rng(seed)
    scenes = [_any_scene(SUBJECTS[k % len(SUBJECTS)], rng) for k in range(count)]
    faults = [pick_fault(scene.subject, rng) if rng.random() < faulty else None for scene in scenes]
    prompts = [phrase(scene, rng) for scene in scenes]
    pixels = np.empty((count, SIZE, SIZE, 3), np.uint8)
    for k, (scene, fault) in enumerate(zip(scenes, faults, strict=True)):
        pixels[k] = np.asarray(draw(scene, rng, fault))
    return Pictures(pixels, prompts, scenes, faults)


def pick_fault(subject: str, rng: np.random.Generator) -> str:
    """One of the subject's faults, by FAULT_WEIGHTS."""
    own = [f for f in FAULTS[subject] if f not in FAULT_WEIGHTS]
    rest = (1 - sum(FAULT_WEIGHTS.values())) / len(own)
    weights = [FAULT_WEIGHTS.get(f, rest) for f in FAULTS[subject]]
    return FAULTS[subject][rng.choice(len(weights), p=weights)]


def _any_scene(subject: str, rng: np.random.Generator) -> Scene:
    scenes = all_scenes(subject)
    return scenes[rng.integers(len(scenes))]
