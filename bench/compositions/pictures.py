"""Captioned pictures of compositions, a known share of them wrong."""

from dataclasses import dataclass

import numpy as np

from bench.compositions.drawing import FAULTS, draw
from bench.compositions.scenes import SUBJECTS, Scene, all_scenes, phrase
from trainer.world.pen import SIZE


@dataclass(frozen=True)
class Pictures:
    """`pixels` uint8 [N, 64, 64, 3]; prompt, scene and fault (None: right) of each."""

    pixels: np.ndarray
    prompts: list[str]
    scenes: list[Scene]
    faults: list[str | None]


def pictures(count: int, faulty: float, seed: int) -> Pictures:
    """`count` drawn pictures, subjects in turn, each wrong with chance `faulty` (0 to 1) in one of its ways."""
    rng = np.random.default_rng(seed)
    scenes = [_any_scene(SUBJECTS[k % len(SUBJECTS)], rng) for k in range(count)]
    faults = [str(rng.choice(FAULTS[s.subject])) if rng.random() < faulty else None for s in scenes]
    prompts = [phrase(scene, rng) for scene in scenes]
    pixels = np.empty((count, SIZE, SIZE, 3), np.uint8)
    for k, (scene, fault) in enumerate(zip(scenes, faults, strict=True)):
        pixels[k] = np.asarray(draw(scene, rng, fault))
    return Pictures(pixels, prompts, scenes, faults)


def _any_scene(subject: str, rng: np.random.Generator) -> Scene:
    scenes = all_scenes(subject)
    return scenes[rng.integers(len(scenes))]
