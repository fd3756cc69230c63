"""A folder that a worker has scored, in a store whose champion has a check and held-out votes."""

import random
from pathlib import Path
from typing import NamedTuple

import pytest
from sqlalchemy import Engine

from feedback.exchange.pictures.sources import Folder
from feedback.exchange.sorting.sortings import ask_to_sort, rows_of
from feedback.exchange.sorting.table import Row
from feedback.rate.queue import next_images
from feedback.rate.terms import Terms
from feedback.rate.votes import Press, record_votes
from feedback.sample.requests import answer
from feedback.versions import promote
from store.engine import writing
from store.files import sha256_of
from store.layout import layout_of
from store.settings import Settings
from store.tables import PictureScore, TaskStatus
from tests.feedback.doubts import ON
from tests.feedback.rating import KEEP, REJECT
from tests.ui.conftest import png_of
from tests.ui.dashboard.conftest import HOSTILE

PICTURES, HELD_OUT = 200, 60


class Scored(NamedTuple):
    """A store and its sorted folder; picture `k` scores `k / PICTURES`, the last one has no prompt."""

    settings: Settings
    engine: Engine
    folder: Path
    number: int


def make_champion(engine, draw, publish_version) -> None:
    """v1, with a check whose cut is 0.8, and held-out pictures of which raters rejected every third."""
    draw(HELD_OUT)
    shown = [one.image_id for one in next_images(engine, "ann", Terms(1, 600), count=HELD_OUT)]
    presses = [Press(f"request {image}", image, REJECT if image % 3 == 0 else KEEP) for image in shown]
    assert [one.refused for one in record_votes(engine, "ann", presses, Terms(1, 600)) if one.refused] == []
    publish_version(engine, 1, check=ON.with_cut([0.8]).as_json())
    promote(engine, 1)
    chance = random.Random(1)
    with writing(engine) as session:
        for image in range(1, HELD_OUT + 1):
            score = chance.random() + (0.3 if image % 3 == 0 else 0.0)
            session.add(PictureScore(image_id=image, version=1, score=score, is_out_of_sample=True))


def score_as_a_worker(settings: Settings, number: int, folder: Path) -> None:
    """Rows as the worker writes them, in no order."""
    rows = []
    for entry in Folder(folder).entries():
        place = int(Path(entry.name).stem)
        if place == PICTURES:
            rows.append(Row(entry, sha256_of(b"x"), None, "it holds no prompt"))
        else:
            rows.append(Row(entry, sha256_of(str(place).encode()), place / PICTURES, "", f"{HOSTILE} {place}"))
    random.Random(2).shuffle(rows)
    rows_of(layout_of(settings), number).add(rows)


@pytest.fixture
def scored(settings, engine, draw, publish_version, tmp_path) -> Scored:
    make_champion(engine, draw, publish_version)
    folder = tmp_path / "in"
    (folder / "sub").mkdir(parents=True)
    for place in range(PICTURES + 1):
        (folder / ("sub" if place % 2 else "") / f"{place:03d}.png").write_bytes(png_of(place))
        (folder / ("sub" if place % 2 else "") / f"{place:03d}.txt").write_text(f"a red square {place}")
    number = ask_to_sort(engine, settings, folder).number
    score_as_a_worker(settings, number, folder)
    answer(engine, number, TaskStatus.done, {"total": PICTURES + 1, "left_s": 0.0})
    return Scored(settings, engine, folder, number)
