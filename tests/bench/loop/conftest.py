"""Finished rows of the loop bench, made by hand."""

import shutil
from pathlib import Path

import pytest

from bench.loop.loop import Finished
from bench.loop.record import Record
from bench.loop.rows import Plan
from bench.loop.worlds import World, find_world

MEASURED = Path(__file__).parents[3] / "docs" / "measured"
PLAN = Plan(votes=160, prompts=24, seeds=3, is_short=True)
DRAWN = find_world("drawn")
WRONG, RIGHT = [["fingers"]] * 8, [[]] * 8


def finished_row(name: str, round_: int, faults: list[list[str]], replicate: int = 0) -> Finished:
    """A row with these faults; nothing else about it matters."""
    return Finished(
        replicate=replicate,
        row=name,
        round=round_,
        faults=faults,
        spread=1.0,
        right_spread=1.0,
        strength=4.0 * bool(round_),
        guidance_scale=1.75,
        train_s=60.0,
        drawings=1.0,
        draw_s=0.25,
        own_scores=[],
        own_wrong=[],
        base_scores=[],
        base_wrong=[],
    )


def control_rows() -> list[Finished]:
    """The base, the controls and the held-out rows, half of each wrong."""
    named = [
        ("base", 0),
        ("held-out base", 0),
        *((n, 1) for n in ("random-outputs", "woolf", "woolf-tuned", "held-out")),
    ]
    return [finished_row(name, round_, WRONG + RIGHT) for name, round_ in named]


@pytest.fixture(scope="session")
def measured() -> Record:
    """The record in the docs."""
    return Record.model_validate_json((MEASURED / "evidence.json").read_text())


@pytest.fixture(scope="session")
def other_world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A world that is not the built-in one: its model is a folder, a copy of the built-in model."""
    from trainer.base.weights import BUILTIN_FOLDER

    folder = tmp_path_factory.mktemp("other") / "model"
    shutil.copytree(BUILTIN_FOLDER, folder)
    return DRAWN._replace(name="other", model=str(folder))
