"""Captioned pictures of compositions, a known share of them wrong."""

import numpy as np

from bench.compositions.drawing import FAULTS, draw
from bench.compositions.scenes import SUBJECTS, all_scenes, phrase
from trainer.world.pictures import Maker, Pictures, make_pictures


def pictures(count: int, faulty: float, seed: int) -> Pictures:
    """`count` pictures of compositions, a wrong one in any of its subject's ways."""
    return make_pictures(Maker(SUBJECTS, all_scenes, _any_fault, phrase, draw), count, faulty, seed)


def _any_fault(subject: str, rng: np.random.Generator) -> str:
    return str(rng.choice(FAULTS[subject]))
