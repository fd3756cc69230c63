"""What the files of other programs say, written as those programs write them."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlmodel import select

from feedback.pool.browse.opened import open_image
from store.engine import reading
from store.tables import Verdict, Vote
from tests.feedback.exchange.conftest import KEEP, REJECT, Rated
from tests.feedback.exchange.incoming.conftest import LATER, current, sha256_of_image, take, write


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


def test_what_label_studio_made_of_our_export_is_known_again_unless_it_was_changed_there(rated: Rated, out: Path):
    """Label Studio 1.23 keeps results with their ids and metas, and gives annotations other ids and times."""
    tasks = json.loads((out / "label-studio.json").read_text())
    for task in tasks:
        for number, one in enumerate(task["annotations"]):
            one |= {"id": number, "unique_id": f"{task['id']} {number}", "completed_by": 1}
            one |= {"created_at": LATER, "updated_at": LATER}
    [changed] = [task for task in tasks if task["data"]["picture"] == rated.images[7]]
    changed["annotations"][0]["result"][0]["value"]["choices"] = ["reject"]
    report = take(rated, write(out / "back.json", *tasks))
    assert (report.recorded, dict(report.left)) == (1, {})
    assert current(rated)["Label Studio 1", sha256_of_image(rated, 7)][0] is REJECT
    assert current(rated)["Ann Anders", sha256_of_image(rated, 7)][0] is KEEP


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
