"""A second drawn world, of compositions: 64x64 pictures of several things at once, some of them wrong. No torch."""

from bench.compositions.drawing import FAULTS, draw
from bench.compositions.judging import judge
from bench.compositions.pictures import pictures
from bench.compositions.scenes import (
    SUBJECTS,
    Scene,
    Thing,
    all_scenes,
    default_prompts,
    phrase,
    phrasings,
    read_prompt,
)

__all__ = [
    "FAULTS",
    "SUBJECTS",
    "Scene",
    "Thing",
    "all_scenes",
    "default_prompts",
    "draw",
    "judge",
    "phrase",
    "phrasings",
    "pictures",
    "read_prompt",
]
