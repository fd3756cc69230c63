"""The drawn worlds that the loop is measured on: a model, prompts for it, and a judge that sees what is wrong.

Your own world is a World in any module that Python can import: `--world package.module:NAME`.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from feedback.policy import rejects_needed
from store.errors import BadRequest
from store.settings import BUILTIN, Settings
from trainer.builtin.worlds import World as Scenes

COMPOSITIONS_MODEL = Path(__file__).parents[1] / "compositions" / "model"

PROMPTS_A_SUBJECT = 33
"""As many as the built-in list has."""

Judge = Callable[[Image.Image, str], tuple[str, ...]]


def no_reasons(_faults: tuple[str, ...], _prompt: str) -> tuple[str, ...]:
    """Raters who never say why."""
    return ()


class Unseen(NamedTuple):
    """What nobody rates in one run: pictures of a subject, and a fault; `shown_by` is another subject that has it."""

    subject: str
    fault: str
    shown_by: str


class World(NamedTuple):
    """What the bench needs of a world.

    `model` is a value for NAYSAYER_MODEL. `prompts(seed, count, subjects, taken)` gives so many distinct prompts, the
    subjects in turn, none of them in `taken`. `judge(picture, prompt)` names the faults; () means right. A picture with
    a fault of `not_followed` does not show what the prompt asks for. `reasons(faults, prompt)` are the values of
    `store.tables.Reason` that a rater names for faults.
    """

    name: str
    model: str
    subjects: tuple[str, ...]
    prompts: Callable[[int, int, Sequence[str], Iterable[str]], list[str]]
    judge: Judge
    unseen: Unseen
    not_followed: frozenset[str]
    negative_prompt: str
    reasons: Callable[[tuple[str, ...], str], tuple[str, ...]] = no_reasons


def find_world(name: str) -> World:
    """The world of that name, or the one that `package.module:NAME` holds. Raises BadRequest when there is none."""
    if name in WORLDS:
        return WORLDS[name]()
    module, _, attribute = name.partition(":")
    try:
        found = getattr(import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise BadRequest(f"there is no world {name!r} ({error}); {EXPECTED}") from error
    if not isinstance(found, World):
        raise BadRequest(f"{name!r} is no bench.loop.worlds.World but a {type(found).__name__}; {EXPECTED}")
    return found


def world_settings(world: World, settings: Settings) -> Settings:
    """The settings under which a store of that world is built: what depends on the model's name is the same in all."""
    return settings.model_copy(
        update={
            "model": world.model,
            "model_revision": settings.model_revision if world.model == settings.model else "",
            "evaluation_pairs": 0,
            "auto_retrain": False,
            "promotion": "gate",
            "retrain_after": rejects_needed(settings),
        }
    )


def distinct_prompts(scenes: Scenes, seed: int, count: int, subjects: Sequence[str], taken: Iterable[str]) -> list[str]:
    """Different prompts of random scenes, the subjects in turn, without those in `taken`."""
    rng = np.random.default_rng(seed)
    seen = set(taken)
    found: list[str] = []
    while len(found) < count:
        possible = scenes.all_scenes(subjects[len(found) % len(subjects)])
        phrasings = scenes.phrasings(possible[int(rng.integers(len(possible)))])
        prompt = phrasings[rng.integers(len(phrasings))]
        if prompt not in seen:
            seen.add(prompt)
            found.append(prompt)
    return found


def _drawn() -> World:
    import trainer.world as drawn

    return World(
        name="drawn",
        model=BUILTIN,
        subjects=drawn.SUBJECTS,
        prompts=partial(distinct_prompts, drawn),
        judge=drawn.judge,
        unseen=Unseen("cat", "points", "star"),
        not_followed=frozenset({"colour", "background", "size"}),
        negative_prompt="wrong, extra fingers, missing fingers, missing part, wrong colour, misspelt word, washed out",
        reasons=drawn.reasons,
    )


def _compositions() -> World:
    from bench import compositions

    return World(
        name="compositions",
        model=str(COMPOSITIONS_MODEL),
        subjects=compositions.SUBJECTS,
        prompts=partial(distinct_prompts, compositions),
        judge=compositions.judge,
        unseen=Unseen("face", "count", "count"),
        not_followed=frozenset({"colour", "background", "shape", "relation"}),
        negative_prompt="wrong, wrong count, wrong colour, wrong shape, swapped, missing part, wrong mouth",
    )


WORLDS: dict[str, Callable[[], World]] = {"drawn": _drawn, "compositions": _compositions}
EXPECTED = f"--world takes {', '.join(WORLDS)} or package.module:NAME"
