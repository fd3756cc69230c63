"""What comes back in: the same verdicts, each vote once, and a name for everything that gives none."""

import csv
import json
import os
import signal
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlmodel import col, select

from feedback.exchange.incoming import take as take_module
from feedback.exchange.incoming.said import Source
from feedback.exchange.incoming.take import Report, import_votes
from feedback.exchange.outgoing.chosen import Wanted
from feedback.exchange.outgoing.folder import export_folder
from feedback.people.reliability import rater_figures
from feedback.pool.browse.gallery import Which
from feedback.pool.browse.opened import open_image
from feedback.pool.tally import differences
from feedback.rate.controls import make_control
from store.engine import reading, writing
from store.errors import BadRequest
from store.migrate import open_store
from store.settings import Settings
from store.tables import CurrentVote, Image, ImageTally, Mark, Rater, Verdict, Vote, VoteReason
from tests.feedback.exchange.conftest import KEEP, REJECT, Rated, fill_pictures, press
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


def pick_a_pic(rated: Rated, label: float, **more: object) -> dict:
    sides = {f"image_{side}_uid": sha256_of_image(rated, side) for side in (0, 1)}
    return {**sides, "label_0": label, "label_1": 1 - label, "caption": "a", "user_id": 7, "has_label": True, **more}


def test_a_preference_is_a_keep_and_a_reject_only_where_it_is_taken_so(filled: Rated, tmp_path: Path):
    rows = [pick_a_pic(filled, 0.0), pick_a_pic(filled, 0.5), pick_a_pic(filled, 1.0, has_label=False)]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "pairs.parquet")
    strict = take(filled, tmp_path / "pairs.parquet")
    assert strict.recorded == 0
    assert sum(n for why, n in strict.left.items() if "preference" in why) == 1
    assert sum(n for why, n in strict.left.items() if "tie" in why) == 2
    loose = take(filled, tmp_path / "pairs.parquet", has_preferences=True)
    assert loose.recorded == 2
    verdicts = {sha256: verdict for (_, sha256), (verdict, *_) in current(filled).items()}
    assert verdicts == {sha256_of_image(filled, 0): REJECT, sha256_of_image(filled, 1): KEEP}


def test_hpd_has_preferences_of_files_named_by_their_content(filled: Rated, tmp_path: Path):
    names = [f"x/{sha256_of_image(filled, place)}.jpg" for place in range(4)]
    v2 = {"human_preference": [0, 1], "prompt": "a", "file_path": names[:2]}
    v3 = {"path1": names[2], "path2": names[3], "prompt": "a"}
    ranking = {"image_path": names[:3], "rank": [0, 1, 2], "raw_annotations": [{"rank": [0, 1, 2], "user_hash": "u"}]}
    path = write(tmp_path / "hpd.json", v2, v3, ranking)
    report = take(filled, path, rater="HPD", has_preferences=True)
    assert (report.recorded, dict(report.left)) == (4, {"a ranking says of no picture what it is": 1})
    verdicts = {sha256: verdict for (_, sha256), (verdict, *_) in current(filled).items()}
    assert [verdicts[sha256_of_image(filled, place)] for place in range(4)] == [REJECT, KEEP, KEEP, REJECT]


def test_label_studio_of_others_is_read_by_its_words_and_files(filled: Rated, out_name: str, tmp_path: Path):
    choice = {"type": "choices", "value": {"choices": ["Thumbs down"]}, "from_name": "x", "to_name": "y"}
    why = {"type": "choices", "value": {"choices": ["Hands", "ugly"]}, "from_name": "w", "to_name": "y"}
    point = {"type": "keypointlabels", "value": {"x": 50, "y": 25, "width": 1, "keypointlabels": ["bad"]}}
    data = {"data": {"image": f"/data/local-files/?d=mine/train/{out_name}"}}
    common = {"created_at": "2026-06-02T10:00:00Z", "lead_time": 4.5}
    annotations = [
        {"id": 1, "completed_by": {"email": "dee@example.org"}, "result": [choice, why, point], **common},
        {"id": 2, "completed_by": 9, "result": [], "was_cancelled": True, **common},
        {"id": 3, "completed_by": 4, "result": [], **common},
    ]
    report = take(filled, write(tmp_path / "ls.json", data | {"annotations": annotations}, data | {"annotations": []}))
    assert dict(report.left) == {"it says neither reject nor keep nor skip": 1, "nobody annotated it": 1}
    sha = sha256_of_image(filled, 3)
    assert current(filled) == {
        ("dee@example.org", sha): (REJECT, ["hands", "other"], [(0.5, 0.25)]),
        ("Label Studio 9", sha): (Verdict.skip, [], []),
    }
    with reading(filled.engine) as session:
        [vote] = session.exec(select(Vote).where(Vote.verdict == REJECT))
    assert (vote.decided_at - vote.shown_at).total_seconds() == 4.5


@pytest.fixture
def out_name(filled: Rated) -> str:
    """The exported name of the fourth picture."""
    image = open_image(filled.engine, filled.images[3]).image
    return f"000000/{image.id:09d}-{image.sha256[:12]}.png"


def test_label_studio_minimal_is_read(filled: Rated, out_name: str, tmp_path: Path):
    mark = [{"x": 50, "y": 25, "width": 1, "keypointlabels": ["bad"], "original_width": 8, "original_height": 8}]
    row = {
        "id": 1,
        "image": f"/x/{out_name}",
        "caption": "keep it simple",
        "verdict": "reject",
        "reason": {"choices": ["text", "colour"]},
        "mark": mark,
        "annotator": 3,
        "annotation_id": 11,
        "created_at": "2026-06-02T10:00:00Z",
        "lead_time": 2.0,
    }
    assert take(filled, write(tmp_path / "min.json", row)).recorded == 1
    key = ("Label Studio 3", sha256_of_image(filled, 3))
    assert current(filled) == {key: (REJECT, ["colour", "text"], [(0.5, 0.25)])}


def test_argilla_is_read_as_its_library_writes_it_and_as_the_hub_has_it(filled: Rated, out_name: str, tmp_path: Path):
    shas = [sha256_of_image(filled, place) for place in range(4)]
    nested = {
        "id": "a",
        "fields": {"image": "x", "prompt": "p"},
        "metadata": {"sha256": shas[0]},
        "responses": {
            "verdict": [{"value": "reject", "user_id": "u1u1u1u1u1"}, {"value": "good", "user_id": "u2"}],
            "reason": [{"value": ["anatomy"], "user_id": "u1u1u1u1u1"}],
        },
    }
    flat = {
        "id": "b",
        "image": {"path": f"y/{out_name}", "bytes": None},
        "verdict.responses": ["keep", "bad", "bad"],
        "verdict.responses.users": ["u1u1u1u1u1", "u2", "u3"],
        "verdict.responses.status": ["submitted", "draft", "submitted"],
    }
    old = {
        "fields": {},
        "metadata": {"sha256": shas[1]},
        "responses": [
            {"user_id": "u1u1u1u1u1", "status": "discarded", "values": {"verdict": {"value": "maybe"}}},
            {"user_id": "u2", "status": "submitted", "values": {"verdict": {"value": "👎"}}},
        ],
    }
    report = take(filled, write(tmp_path / "argilla.jsonl", nested, flat, old))
    assert dict(report.left) == {"it is a draft, not submitted": 1}
    assert {key: value[:2] for key, value in current(filled).items()} == {
        ("Argilla u1u1u1u1", shas[0]): (REJECT, ["anatomy"]),
        ("Argilla u2", shas[0]): (KEEP, []),
        ("Argilla u1u1u1u1", shas[3]): (KEEP, []),
        ("Argilla u3", shas[3]): (REJECT, []),
        ("Argilla u1u1u1u1", shas[1]): (Verdict.skip, []),
        ("Argilla u2", shas[1]): (REJECT, []),
    }


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


def test_a_request_id_of_another_vote_is_left_out(rated: Rated, out: Path, tmp_path: Path):
    row = json.loads((out / "votes.jsonl").read_text().splitlines()[0])
    report = take(rated, write(tmp_path / "votes.jsonl", row | {"rater": "Mallory"}))
    assert dict(report.left) == {"its request id belongs to another vote": 1}


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
