"""An export, another store with the same pictures, and how votes are taken from a file."""

import csv
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import col, select

from feedback.exchange.incoming.said import Source
from feedback.exchange.incoming.take import Report, import_votes
from feedback.exchange.outgoing.chosen import Wanted
from feedback.exchange.outgoing.folder import export_folder
from feedback.pool.browse.gallery import Which
from feedback.pool.browse.opened import open_image
from feedback.pool.tally import differences
from store.engine import reading
from store.migrate import open_store
from store.settings import Settings
from store.tables import CurrentVote, Image, ImageTally, Mark, Rater, Verdict, VoteReason
from tests.feedback.exchange.conftest import Rated, fill_pictures
from tests.feedback.rating import NOON

EVERYTHING = Wanted((Which.rejects, Which.keeps, Which.disputed), has_names=True)
LATER = (NOON + timedelta(hours=1)).isoformat()


@pytest.fixture
def out(rated: Rated, tmp_path: Path) -> Path:
    return export_folder(rated.engine, rated.blobs, EVERYTHING, tmp_path / "out").folder


@pytest.fixture
def fresh(tmp_path: Path, fill: Callable):
    """Another store with the same pictures, under other numbers, and no vote."""
    settings = Settings(data_dir=tmp_path / "fresh", _env_file=None)
    engine = open_store(settings)
    fill(engine, images=5)
    yield fill_pictures(settings, engine, fill)
    engine.dispose()


def take(rated: Rated, path: Path, **source: object) -> Report:
    report = import_votes(rated.engine, Source(path, **source), overlap=9)
    assert differences(rated.engine) == []
    return report


def write(path: Path, *rows: dict) -> Path:
    if path.suffix == ".json":
        path.write_text(json.dumps(rows))
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        with path.open("w", newline="") as file:
            table = csv.DictWriter(file, list(rows[0]), delimiter="\t" if path.suffix == ".tsv" else ",")
            table.writeheader()
            table.writerows(rows)
    return path


def current(rated: Rated) -> dict[tuple[str, str], tuple]:
    """Verdict, reasons and marks of each current vote, by rater and content."""
    with reading(rated.engine) as session:
        rows = session.execute(
            select(Rater.name, Image.sha256, CurrentVote.verdict, CurrentVote.vote_id)
            .join(Rater, col(Rater.id) == CurrentVote.rater_id)
            .join(Image, col(Image.id) == CurrentVote.image_id)
        ).all()
        reasons, marks = session.exec(select(VoteReason)).all(), session.exec(select(Mark)).all()
    return {
        (name, sha256): (
            verdict,
            sorted(one.reason for one in reasons if one.vote_id == vote),
            sorted((one.x, one.y) for one in marks if one.vote_id == vote),
        )
        for name, sha256, verdict, vote in rows
        if verdict is not Verdict.undo
    }


def outcomes(rated: Rated) -> dict[str, tuple[int, int]]:
    with reading(rated.engine) as session:
        rows = select(Image.sha256, ImageTally.rejects, ImageTally.keeps).join(Image, Image.id == ImageTally.image_id)
        return {sha: (rejects, keeps) for sha, rejects, keeps in session.execute(rows) if rejects + keeps}


def sha256_of_image(rated: Rated, place: int) -> str:
    return open_image(rated.engine, rated.images[place]).image.sha256
