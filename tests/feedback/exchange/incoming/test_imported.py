"""Votes on pictures that came from other programs, named by their files; and what goes out of such pictures."""

import json
from pathlib import Path

from sqlalchemy import Engine

from feedback.exchange.incoming.said import Source
from feedback.exchange.incoming.take import import_votes
from feedback.exchange.outgoing.chosen import BOTH, Wanted
from feedback.exchange.outgoing.folder import export_folder
from feedback.pool.browse.gallery import Which
from feedback.pool.browse.opened import open_image
from store.layout import layout_of
from store.settings import Settings
from store.tables import Verdict
from tests.feedback.exchange.incoming.conftest import write
from tests.feedback.exchange.pictures.brought import bring, folder_of, imported, png


def test_a_picture_of_another_program_is_found_by_the_name_of_its_file(
    settings: Settings, engine: Engine, fill, tmp_path: Path
):
    fill(engine, images=1)
    data = {"x___a__png": png("a fox"), "y___a__png": png("a cat", 7), "b__png": png("a dog", 2**64 - 1)}
    bring(settings, engine, folder_of(tmp_path / "in", **data))
    names = ["in/x/a.png", "/data/local-files/?d=in/b.png", "a.png", "zebra.png"]
    rows = [{"rater": "Eve", "file_name": name, "verdict": "reject"} for name in names]
    report = import_votes(engine, Source(write(tmp_path / "t.csv", *rows)), 1)
    assert report.recorded == 2
    assert dict(report.left) == {
        "several imported pictures have this file name": 1,
        "the picture is not in this store": 1,
    }
    judged = {open_image(engine, image.id).prompt: open_image(engine, image.id).votes for image in imported(engine)}
    assert {prompt: [vote.verdict for vote in votes] for prompt, votes in judged.items()} == {
        "a fox": [Verdict.reject],
        "a dog": [Verdict.reject],
        "a cat": [],
    }
    out = export_folder(engine, layout_of(settings).blobs, Wanted((*BOTH, Which.taken_out)), tmp_path / "out").folder
    lines = [json.loads(line) for line in (out / "train/metadata.jsonl").read_text().splitlines()]
    assert {line["caption"]: line["seed"] for line in lines} == {"a fox": 42, "a dog": None}
    assert {line["origin"] for line in lines} == {"imported"}
    assert str(tmp_path) not in "".join(path.read_text() for path in out.glob("*.*"))
