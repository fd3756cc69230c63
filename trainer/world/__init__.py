"""A drawn world of captioned 64x64 pictures, some of them wrong, and a judge that reads pixels. No torch."""

from trainer.world.drawing import FAULTS, draw
from trainer.world.judging import judge, reasons
from trainer.world.pictures import Pictures, pictures
from trainer.world.scenes import (
    SUBJECTS,
    Scene,
    all_scenes,
    default_prompts,
    phrase,
    phrasings,
    read_prompt,
    write_prompts,
)

__all__ = [
    "FAULTS",
    "SUBJECTS",
    "Pictures",
    "Scene",
    "all_scenes",
    "default_prompts",
    "draw",
    "judge",
    "phrase",
    "phrasings",
    "pictures",
    "read_prompt",
    "reasons",
    "write_prompts",
]
