"""What comes back in: the same verdicts, each vote once, and a name for everything that gives none."""

import csv
import json
import os
import signal
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlmodel import select

from feedback.exchange.incoming import take as take_module
from feedback.exchange.incoming.said import Source
from feedback.exchange.incoming.take import import_votes
from feedback.exchange.outgoing.chosen import Wanted
from feedback.exchange.outgoing.folder import export_folder
from feedback.people.reliability import rater_figures
from feedback.pool.browse.opened import open_image
from feedback.rate.controls import make_control
from feedback.rate.raters import rater_names
from store.engine import reading, writing
from store.errors import BadRequest
from store.settings import Settings
from store.tables import Image, Vote
from tests.feedback.exchange.conftest import KEEP, REJECT, Rated, fill_pictures, press
from tests.feedback.exchange.incoming.conftest import EVERYTHING, LATER, current, outcomes, sha256_of_image, take, write
from tests.feedback.rating import NOON


@pytest.mark.parametrize("name", ["votes.jsonl", "label-studio.json"])
def test_an_export_comes_back_with_the_same_verdicts_reasons_and_marks(
    rated: Rated, fresh: Rated, out: Path, name: str
):
    report = take(fresh, out / name)
    assert not report.left
    assert current(fresh) == current(rated)
    assert outcomes(fresh) == outcomes(rated)
    again = take(fresh, out / name)
    assert (again.recorded, again.known) == (0, report.recorded)
    assert current(fresh) == current(rated)


def test_votes_jsonl_brings_every_press_with_its_times(rated: Rated, fresh: Rated, out: Path):
    take(fresh, out / "votes.jsonl")

    def presses(store: Rated) -> list[tuple]:
        with reading(store.engine) as session:
            rows = session.exec(select(Vote).order_by(Vote.id)).all()
        return sorted((one.request_id, one.verdict, one.shown_at, one.decided_at, one.received_at) for one in rows)

    assert presses(fresh) == presses(rated)


def test_into_the_store_that_it_comes_from_it_brings_nothing(rated: Rated, out: Path):
    report = take(rated, out / "votes.jsonl")
    assert (report.recorded, report.known, dict(report.left)) == (0, 15, {})


def test_both_databases_give_and_take_alike(any_engine: Engine, settings: Settings, fill: Callable, tmp_path: Path):
    settings.data_dir.mkdir(exist_ok=True)
    store = fill_pictures(settings, any_engine, fill)
    press(any_engine, "Ann", dict.fromkeys(store.images[:4], REJECT) | dict.fromkeys(store.images[4:8], KEEP))
    exported = export_folder(any_engine, store.blobs, EVERYTHING, tmp_path / "out")
    assert (exported.held.pictures, exported.held.pairs) == (8, 3)
    assert take(store, exported.folder / "votes.jsonl").known == 8
    rows = [
        {"rater": "Eve", "file_name": json.loads(line)["file_name"], "verdict": "keep", "time": LATER}
        for line in (exported.folder / "votes.jsonl").read_text().splitlines()
    ]
    assert take(store, write(tmp_path / "t.csv", *rows)).recorded == 8
    assert take(store, write(tmp_path / "t.csv", *rows)).known == 8
    assert sorted(outcomes(store).values()) == [(0, 2)] * 4 + [(1, 1)] * 4


def test_pseudonyms_are_raters_too(rated: Rated, fresh: Rated, tmp_path: Path):
    out = export_folder(rated.engine, rated.blobs, EVERYTHING._replace(has_names=False), tmp_path / "out").folder
    assert take(fresh, out / "votes.jsonl").raters == 3
    assert outcomes(fresh) == outcomes(rated)


def test_the_csv_of_pictures_gives_the_named_rater_their_labels(rated: Rated, fresh: Rated, out: Path):
    report = take(fresh, out / "metadata.csv", rater="Everybody")
    assert dict(report.left) == {"it says neither reject nor keep nor skip": 1}  # the tied one
    assert report.recorded == 7
    said = current(fresh)
    with (out / "metadata.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            if row["label"]:
                assert said["Everybody", row["sha256"]][0] is (KEEP if row["label"] == "1" else REJECT)


def test_our_pairs_are_a_keep_and_a_reject_of_the_named_rater(rated: Rated, fresh: Rated, out: Path):
    report = take(fresh, out / "pairs/pairs-00000.parquet", rater="Everybody")
    assert (report.recorded, dict(report.left)) == (6, {})
    before, after = outcomes(rated), current(fresh)
    for (_, sha256), (verdict, *_) in after.items():
        assert (verdict is KEEP) == (before[sha256][1] > before[sha256][0])


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".jsonl", ".json"])
def test_a_table_of_our_own_columns_is_read_in_every_kind_of_file(filled: Rated, tmp_path: Path, ending: str):
    rows = [
        {
            "rater": "Eve",
            "sha256": sha256_of_image(filled, 0),
            "verdict": "bad",
            "reason": "hands; text",
            "time": LATER,
        },
        {"rater": "Eve", "sha256": sha256_of_image(filled, 1), "verdict": "Good", "reason": "", "time": LATER},
        {"rater": "", "sha256": sha256_of_image(filled, 2), "verdict": "Good", "reason": "", "time": LATER},
        {"rater": "Eve", "sha256": "f" * 64, "verdict": "keep", "reason": "", "time": LATER},
        {"rater": "Eve", "sha256": sha256_of_image(filled, 3), "verdict": "maybe", "reason": "", "time": LATER},
    ]
    report = take(filled, write(tmp_path / f"table{ending}", *rows))
    assert (report.recorded, report.images, report.raters) == (2, 2, 1)
    assert set(report.left.values()) == {1}
    assert len(report.left) == 3
    assert "left out 1: the picture is not in this store: line " in report.words
    assert "'ffff" in report.words
    assert current(filled)["Eve", sha256_of_image(filled, 0)] == (REJECT, ["hands", "text"], [])
    with reading(filled.engine) as session:
        assert {one.decided_at.hour for one in session.exec(select(Vote))} == {13}


def test_the_word_of_a_rater_who_voted_since_stays(filled: Rated, tmp_path: Path):
    press(filled.engine, "Ann", dict.fromkeys(filled.images[:3], REJECT))
    shas = [sha256_of_image(filled, place) for place in range(3)]
    earlier = (NOON - timedelta(hours=1)).isoformat()
    rows = [
        {"rater": "ann", "sha256": sha, "verdict": "keep", "time": at}
        for sha, at in zip(shas, (earlier, LATER, ""), strict=True)
    ]
    report = take(filled, write(tmp_path / "t.csv", *rows))
    assert dict(report.left) == {"the rater has voted on the picture since": 2}
    assert [value[0] for value in current(filled).values()].count(KEEP) == 1
    assert current(filled)["Ann", shas[1]][0] is KEEP


def test_a_changed_verdict_in_a_file_without_times_is_the_last_one(filled: Rated, tmp_path: Path):
    rows = [{"rater": "Eve", "sha256": sha256_of_image(filled, 0), "verdict": one} for one in ("keep", "reject")]
    path = write(tmp_path / "t.csv", *rows)
    assert take(filled, path).recorded == 2
    assert take(filled, path).known == 2
    assert [value[0] for value in current(filled).values()] == [REJECT]


@pytest.mark.parametrize(("changed", "why"), [
    ({"rater": "Mallory"}, "it is here already, under another name of its rater"),
    ({"verdict": "skip"}, "its request id belongs to another vote"),
    ({"sha256": "", "file_name": "", "picture": 9}, "its request id belongs to another vote"),
])  # fmt: skip
def test_a_request_id_of_another_vote_is_left_out(rated: Rated, out: Path, tmp_path: Path, changed: dict, why: str):
    row = json.loads((out / "votes.jsonl").read_text().splitlines()[0])
    report = take(rated, write(tmp_path / "votes.jsonl", row | changed))
    assert dict(report.left) == {why: 1}


def test_a_control_takes_no_vote_and_is_not_meant_where_the_pool_has_its_picture(filled: Rated, tmp_path: Path):
    control = make_control(filled.engine, filled.images[0], KEEP, by="root")
    rows = [
        {"rater": "Eve", "picture": control, "verdict": "keep"},
        {"rater": "Eve", "sha256": sha256_of_image(filled, 0), "verdict": "reject"},
    ]
    report = take(filled, write(tmp_path / "t.jsonl", *rows))
    assert dict(report.left) == {"an evaluation picture or a control takes no vote from a file": 1}
    assert [vote.verdict for vote in open_image(filled.engine, filled.images[0]).votes] == [REJECT]
    assert open_image(filled.engine, control).votes == []


def test_of_pictures_with_the_same_content_the_number_says_which(filled: Rated, tmp_path: Path):
    with writing(filled.engine) as session:
        twins = [session.get_one(Image, filled.images[place]) for place in (0, 1)]
        twins[1].sha256 = twins[0].sha256
        session.add_all(twins)
        row = {"rater": "Eve", "sha256": twins[0].sha256, "verdict": "keep"}
    path = write(tmp_path / "t.jsonl", row, row | {"picture": filled.images[1]}, row | {"picture": 999})
    report = take(filled, path)
    assert (report.recorded, dict(report.left)) == (1, {"several pictures of this store have this content": 2})
    assert len(open_image(filled.engine, filled.images[1]).votes) == 1


def test_many_pictures_named_by_their_files_are_looked_for_at_once(filled: Rated, tmp_path: Path):
    image = open_image(filled.engine, filled.images[0]).image
    names = [f"{n:09d}-{n:012x}.png" for n in range(1, 1400)] + [f"{image.id:09d}-{image.sha256[:12]}.png"]
    rows = [{"rater": "Eve", "file_name": name, "verdict": "keep"} for name in names]
    report = import_votes(filled.engine, Source(write(tmp_path / "t.csv", *rows)), 9, batch=2000)
    assert (report.recorded, dict(report.left)) == (1, {"the picture is not in this store": 1399})


def test_thousands_of_imported_votes_flag_nobody_as_too_fast(filled: Rated, tmp_path: Path):
    rows = [
        {"rater": "Eve", "picture": image, "verdict": verdict, "request_id": f"{image} {n}"}
        for n in range(50)
        for image in filled.images
        for verdict in ("keep", "reject")[n % 2 :][:1]
    ]
    assert take(filled, write(tmp_path / "t.jsonl", *rows)).recorded == 600
    [eve] = rater_figures(filled.engine)
    assert not [flag for flag in eve.flags if "one minute" in flag]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("x.txt", "a", "has the ending '.txt'"),
        ("x", "a", "has no ending"),
        ("x.jsonl", "", "it holds no row"),
        ("x.csv", "rater,verdict\n", "it holds no row"),
        ("x.csv", "a,b\n1,2\n", "no kind of vote is recognised in it: a, b"),
        ("x.jsonl", "[1, 2]\n", "is no object"),
        ("x.jsonl", "{oops\n", "this is no JSON value"),
        ("x.json", "[1, 2", "this is no JSON"),
        ("x.json", "7", "is no object"),
        ("x.parquet", "PAR1", "cannot be read"),
        ("x.jsonl", b"\xff\xfe\xfa", "save the file as UTF-8"),
        ("x.csv", b"PK\x03\x04", "a ZIP archive"),
    ],
)
def test_a_file_that_is_none_is_told_in_a_sentence(filled: Rated, tmp_path: Path, name: str, content, said: str):
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(BadRequest, match=said.replace("(", r"\(")) as raised:
        take(filled, tmp_path / name)
    assert "nothing was imported" in str(raised.value)


def test_a_bad_line_is_named_and_the_others_go_in(filled: Rated, tmp_path: Path):
    good = json.dumps({"rater": "Eve", "picture": filled.images[0], "verdict": "keep"})
    odd = json.dumps({"data": {"image": 3}, "annotations": [None]})
    name = json.dumps({"rater": "x" * 200, "picture": filled.images[0], "verdict": "keep"})
    (tmp_path / "t.jsonl").write_text(f"{good}\n{{oops\n{odd}\n{name}\n")
    report = take(filled, tmp_path / "t.jsonl")
    assert report.recorded == 1
    assert set(report.left) == {"it cannot be read", "it is malformed", "the rater's name cannot be one"}
    assert "line 2" in report.words


def _import_until_killed(rated: Rated, path: Path) -> None:
    batches = take_module._take

    def take_and_die(*arguments: object) -> None:
        batches(*arguments)
        os.kill(os.getpid(), signal.SIGKILL)

    take_module._take = take_and_die
    import_votes(rated.engine, Source(path), 9, batch=4)


def test_a_killed_import_goes_on(rated: Rated, fresh: Rated, out: Path, exit_code_of: Callable):
    fresh.engine.dispose()
    assert exit_code_of(_import_until_killed, fresh, out / "votes.jsonl") == -signal.SIGKILL
    report = take(fresh, out / "votes.jsonl")
    assert (report.known, report.recorded) == (4, 11)
    assert current(fresh) == current(rated)


def test_a_file_that_gives_no_vote_makes_no_rater(rated, tmp_path):
    strangers = [{"rater": "Zoe", "sha256": "f" * 64, "verdict": "keep"}]
    before = rater_names(rated.engine)
    assert take(rated, write(tmp_path / "t.csv", *strangers)).recorded == 0
    pseudonymous = export_folder(rated.engine, rated.blobs, Wanted(), tmp_path / "named otherwise").folder
    report = take(rated, pseudonymous)
    assert (report.recorded, report.known) == (0, 0)
    assert set(report.left) == {"it is here already, under another name of its rater"}
    assert rater_names(rated.engine) == before


def test_lines_are_read_one_by_one_however_long_the_file_is(fresh: Rated, out: Path, tmp_path: Path, monkeypatch):
    monkeypatch.setattr("feedback.sample.lists.rows.MAX_BYTES", 100)  # of what is read as a whole
    assert take(fresh, out).recorded == 15
    monkeypatch.setattr("feedback.exchange.incoming.files.LONGEST_LINE", 200)
    (tmp_path / "endless.jsonl").write_bytes(b"\n" + b"0" * 300)
    with pytest.raises(BadRequest, match=r"line 2: .*the line has more than"):
        take(fresh, tmp_path / "endless.jsonl")
