"""A sorted folder: held-out scores, the cut, and files that go elsewhere without a loss."""

import json
from pathlib import Path

import pytest

from feedback.check.version_check import How, VersionCheck
from feedback.exchange.pictures.sources import Folder
from feedback.exchange.sorting.held_out import HeldOut
from feedback.exchange.sorting.moving import MOVED, Target, moved_from, require_apart, take_along
from feedback.exchange.sorting.table import (
    Cut,
    Row,
    doubtful,
    header_line,
    is_flagged,
    parse_cut,
    place_cut,
    sort_rows,
    table_line,
)
from feedback.pool.curation import curate
from store.engine import reading, writing
from store.errors import BadRequest
from store.tables import PictureScore, PoolAction
from tests.feedback.doubts import ON
from tests.feedback.exchange.pictures.brought import folder_of
from tests.feedback.rating import KEEP, REJECT, rate

SCORES = {"a.png": 0.5, "b.png": 0.5, "c.png": 0.9, "d.png": 0.1, "e.png": None}


def rows_of(folder: Path, scores: dict[str, float | None] = SCORES) -> list[Row]:
    folder_of(folder, **{name.replace(".", "__"): name.encode() for name in scores})
    return sort_rows(
        Row(entry, entry.name, scores.get(entry.name), "" if scores.get(entry.name) else "no prompt")
        for entry in Folder(folder).entries()
    )


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def taken(folder: Path) -> dict[str, bytes]:
    """What was taken to a target, beside the list of what was moved there."""
    return {name: data for name, data in content(folder).items() if name != MOVED}


def names(rows: list[Row]) -> list[str]:
    return [row.entry.name for row in rows]


def test_rows_go_from_worst_to_best_and_those_without_a_score_come_last(tmp_path):
    assert names(rows_of(tmp_path)) == ["c.png", "a.png", "b.png", "d.png", "e.png"]


@pytest.mark.parametrize(
    ("asked", "flagged"),
    [
        ("0.1", ["c.png", "a.png", "b.png"]),
        ("-5", ["c.png", "a.png", "b.png", "d.png"]),
        ("25%", ["c.png"]),
        ("50%", ["c.png"]),  # its edge lies between equal scores
        ("75 %", ["c.png", "a.png", "b.png"]),
        ("100%", ["c.png", "a.png", "b.png", "d.png"]),
        ("0%", []),
        (None, ["c.png"]),
    ],
)
def test_a_cut_is_a_score_or_a_share_or_the_versions_own(tmp_path, asked, flagged):
    rows = rows_of(tmp_path)
    cut = place_cut(parse_cut(asked), VersionCheck(How((800,), 2, 4), "", cut=0.6), rows)
    assert names([row for row in rows if is_flagged(row, cut)]) == flagged


@pytest.mark.parametrize("word", ["", "nan", "inf", "101%", "-1%", "twenty", "%"])
def test_a_cut_that_is_none_is_one_sentence(word):
    with pytest.raises(BadRequest, match="neither a share of the folder"):
        parse_cut(word)


def test_a_version_without_a_cut_needs_one():
    with pytest.raises(BadRequest, match="--cut 20%"):
        place_cut(Cut(), ON, [])


def test_the_most_doubtful_are_the_nearest_to_the_cut(tmp_path):
    assert names(doubtful(rows_of(tmp_path), 0.45)) == ["a.png", "b.png", "d.png", "c.png"]


def test_a_line_says_how_the_score_compares_with_held_out_pictures(tmp_path):
    worst, *_, unscored = rows_of(tmp_path)
    held_out = HeldOut([0.1, 0.2, 0.3, 0.95], [0.8, 1.0])
    line = json.loads(table_line(worst, 0.6, held_out, as_json=True))
    assert line == {
        "file": "c.png", "score": 0.9, "kept_worse": 0.25, "rejected_worse": 0.5, "flagged": True, "why": ""
    }  # fmt: skip
    assert json.loads(table_line(unscored, 0.6, HeldOut([], []), as_json=True))["why"] == "no prompt"
    assert header_line() + table_line(worst, 0.6, HeldOut([], []), as_json=False) == (
        "file,score,kept_worse,rejected_worse,flagged,why\r\nc.png,0.9,,,True,\r\n"
    )


def test_held_out_scores_are_those_of_the_version_with_a_verdict_in_the_pool(any_engine, fill, publish_version):
    images = fill(any_engine, images=6)
    publish_version(any_engine, 1)
    publish_version(any_engine, 2)
    for image, verdict in zip(images[:5], (KEEP, KEEP, REJECT, REJECT, REJECT), strict=True):
        rate(any_engine, "ann", {image: verdict})
    with writing(any_engine) as session:
        for number, image in enumerate(images):
            session.add(PictureScore(image_id=image, version=1, score=number / 10, is_out_of_sample=number != 3))
            session.add(PictureScore(image_id=image, version=2, score=9.0, is_out_of_sample=True))
    with reading(any_engine) as session:
        assert HeldOut.of(session, 1) == HeldOut([0.0, 0.1], [0.2, 0.4])
    curate(any_engine, [images[4]], PoolAction.exclude, by="ann", reason="test")
    with reading(any_engine) as session:
        assert HeldOut.of(session, 1) == HeldOut([0.0, 0.1], [0.2])


@pytest.mark.parametrize("moves", [True, False])
def test_flagged_pictures_go_with_the_files_beside_them(tmp_path, moves):
    rows = rows_of(tmp_path / "in", {"sub/c.png": 0.9, "d.png": 0.1})
    folder_of(tmp_path / "in", sub___c__txt=b"a fox", sub___c__png__json=b"{}", sub___cc__txt=b"other")
    before, said = content(tmp_path / "in"), []
    words = take_along(tmp_path / "in", rows[:1], Target(tmp_path / "out", moves), said.append).words
    gone = {name: before[name] for name in ("sub/c.png", "sub/c.txt", "sub/c.png.json")}
    assert taken(tmp_path / "out") == gone
    there = moved_from(tmp_path / "in", Target(tmp_path / "out", moves))
    assert [entry.name for entry in there] == (["sub/c.png"] if moves else [])
    assert moved_from(tmp_path / "other", Target(tmp_path / "out", moves)) == []
    assert content(tmp_path / "in") == ({name: before[name] for name in before.keys() - gone} if moves else before)
    assert words == f"{'moved' if moves else 'copied'} 1 picture to {tmp_path / 'out'}"
    assert said == []


def test_a_text_that_another_picture_needs_stays_too(tmp_path):
    rows = rows_of(tmp_path / "in", {"c.png": 0.9, "c.jpg": 0.1})
    folder_of(tmp_path / "in", c__txt=b"a fox")
    take_along(tmp_path / "in", rows[:1], Target(tmp_path / "out", moves=True), print)
    assert sorted(content(tmp_path / "in")) == ["c.jpg", "c.txt"]
    take_along(tmp_path / "in", rows[1:], Target(tmp_path / "out", moves=True), print)
    assert sorted(taken(tmp_path / "out")) == ["c.jpg", "c.png", "c.txt"]
    assert content(tmp_path / "in") == {}


def test_nothing_is_overwritten_and_what_changed_stays(tmp_path):
    rows = rows_of(tmp_path / "in", {"a.png": 0.9, "b.png": 0.8, "c.png": 0.7})
    folder_of(tmp_path / "out", a__png=b"another", c__png=b"c.png")
    (tmp_path / "in" / "b.png").write_bytes(b"changed since")
    said: list[str] = []
    words = take_along(tmp_path / "in", rows, Target(tmp_path / "out", moves=True), said.append).words
    assert content(tmp_path / "in") == {"a.png": b"a.png", "b.png": b"changed since"}
    assert taken(tmp_path / "out") == {"a.png": b"another", "c.png": b"c.png"}
    assert words == f"moved 1 picture to {tmp_path / 'out'}; 2 stayed"
    assert ["another file" in said[0], "it changed" in said[1], len(said)] == [True, True, 2]


@pytest.mark.parametrize("target", ["in", "in/bad", "file"])
def test_a_target_inside_the_folder_or_a_file_is_refused(tmp_path, target):
    folder_of(tmp_path, in___a__png=b"a", file=b"x")
    with pytest.raises(BadRequest, match="name a folder"):
        require_apart(tmp_path / "in", tmp_path / target)
