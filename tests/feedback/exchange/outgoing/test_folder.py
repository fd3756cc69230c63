"""The exported folder: what it holds, who can be told from it, and what becomes of an interrupted export."""

import csv
import io
import json
import os
import signal
import tarfile
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from PIL import Image as Picture
from sqlmodel import select

from feedback.exchange.outgoing import folder as folder_module
from feedback.exchange.outgoing.chosen import Wanted, pseudonym
from feedback.exchange.outgoing.folder import export_folder
from feedback.exchange.outgoing.pairs import MEANING
from feedback.exchange.outgoing.rows import FORMULA, harmless
from feedback.people.decisions import Decision, decide
from feedback.pool.browse.gallery import Filter, Which
from feedback.pool.curation import curate
from store.engine import reading, writing
from store.errors import BadRequest, Busy, StoreError
from store.files import only_one, sha256_of, sha256_of_file
from store.tables import Image, PoolAction, Prompt, RaterAction, Reason, StoreRow
from tests.feedback.exchange.conftest import KEEP, REJECT, Rated, png, press

ALL = Wanted()


def rows_of(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture
def out(rated: Rated, tmp_path: Path) -> Path:
    return export_folder(rated.engine, rated.blobs, ALL, tmp_path / "out").folder


def test_it_holds_what_the_card_says_and_nothing_else(out: Path):
    names = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    pictures = {name for name in names if name.endswith(".png")}
    tables = {"metadata.csv", "train/metadata.jsonl", "votes.jsonl", "label-studio.json", "label-studio.xml"}
    assert names == pictures | tables | {"README.md", "pairs/pairs-00000.parquet"}
    assert len(pictures) == 7  # the first is tied
    assert [path.name for path in out.parent.iterdir() if path.name.startswith(".")] == []


def test_a_line_says_what_the_votes_say_of_a_picture_whose_file_lies_there(rated: Rated, out: Path):
    lines = rows_of(out / "train/metadata.jsonl")
    assert [list(line)[:3] for line in lines] == [["file_name", "caption", "label"]] * 7
    assert {line["picture"]: line["label"] for line in lines} == {
        image: int(place >= 4) for place, image in enumerate(rated.images[:8]) if place
    }
    for line in lines:
        assert sha256_of_file(out / "train" / line["file_name"]) == line["sha256"]
    first = lines[0]
    assert (first["rejects"], first["keeps"], first["reasons"]) == (2, 0, "hands; other")
    assert json.loads(first["marks"]) == [[0.25, 0.5]]
    assert lines[-1]["caption"] in {"a red star", "a blue hand", "a green word"}


def test_the_csv_has_the_same_lines_for_the_folder_above(out: Path):
    with (out / "metadata.csv").open(newline="") as file:
        found = list(csv.DictReader(file))
    lines = rows_of(out / "train/metadata.jsonl")
    assert [row["file_name"] for row in found] == [f"train/{line['file_name']}" for line in lines]
    assert [(row["caption"], row["label"]) for row in found] == [
        (line["caption"], str(line["label"])) for line in lines
    ]


def test_no_cell_of_the_csv_is_a_formula(rated: Rated, tmp_path: Path):
    with writing(rated.engine) as session:
        prompt = session.get_one(Prompt, 1)
        prompt.text = '=HYPERLINK("http://x", "red")'
        session.add(prompt)
    out = export_folder(rated.engine, rated.blobs, ALL, tmp_path / "out").folder
    cells = [cell for row in csv.reader((out / "metadata.csv").read_text().splitlines()) for cell in row]
    assert '\'=HYPERLINK("http://x", "red")' in cells
    assert not [cell for cell in cells if cell.startswith(FORMULA)]
    assert '=HYPERLINK("http://x", "red")' in {line["caption"] for line in rows_of(out / "train/metadata.jsonl")}
    assert [harmless(cell) for cell in ("+1", "\t=1", "a=1", 7)] == ["'+1", "'\t=1", "a=1", 7]


def test_pairs_are_a_keep_and_a_reject_of_one_prompt_each_picture_once(rated: Rated, out: Path):
    pairs = pq.read_table(out / "pairs/pairs-00000.parquet").to_pylist()
    labels = {line["sha256"]: line["label"] for line in rows_of(out / "train/metadata.jsonl")}
    captions = {line["sha256"]: line["caption"] for line in rows_of(out / "train/metadata.jsonl")}
    assert len(pairs) == 3
    assert {pair["label_0"] for pair in pairs} == {0.0, 1.0}  # no place means anything
    used = []
    for pair in pairs:
        for side in (0, 1):
            picture = pair[f"jpg_{side}"]
            assert sha256_of(picture) == pair[f"image_{side}_uid"]
            assert labels[sha256_of(picture)] == pair[f"label_{side}"]
            assert captions[sha256_of(picture)] == pair["caption"]
            assert Picture.open(io.BytesIO(picture)).size == (8, 8)
            used.append(sha256_of(picture))
        assert pair["label_0"] + pair["label_1"] == 1
        assert pair["meaning"] == MEANING
        assert labels[pair["best_image_uid"]] == 1
    assert len(set(used)) == 6


def test_label_studio_gets_marks_in_percent_and_each_current_vote(rated: Rated, out: Path):
    tasks = {task["data"]["picture"]: task for task in json.loads((out / "label-studio.json").read_text())}
    results = [one["result"] for one in tasks[rated.images[1]]["annotations"]]
    [mark] = [result for result in results[0] if result["type"] == "keypointlabels"]
    assert (mark["value"]["x"], mark["value"]["y"]) == (25.0, 50.0)
    assert [result[0]["value"]["choices"] for result in results] == [["reject"], ["reject"]]
    assert len(tasks[rated.images[2]]["annotations"]) == 1  # the undone one is none
    name = rows_of(out / "train/metadata.jsonl")[0]["file_name"]
    assert tasks[rated.images[1]]["data"]["image"] == f"/data/local-files/?d=out/train/{name}"


def test_no_name_of_a_rater_leaves_unless_asked_for(rated: Rated, out: Path, tmp_path: Path):
    for path in out.rglob("*"):
        if path.is_file():
            assert b"Ann" not in path.read_bytes(), path
    named = export_folder(rated.engine, rated.blobs, Wanted(has_names=True), tmp_path / "named").folder
    assert {row["rater"] for row in rows_of(named / "votes.jsonl")} == {"Ann Anders", "Bob", "Cy"}
    with reading(rated.engine) as session:
        [store] = session.exec(select(StoreRow.id))
    assert {row["rater"] for row in rows_of(out / "votes.jsonl")} == {pseudonym(store, n) for n in (1, 2, 3)}


def test_votes_of_excluded_raters_and_pictures_taken_out_stay(rated: Rated, tmp_path: Path):
    decide(rated.engine, "Bob", Decision(RaterAction.exclude, "root", "careless"))
    curate(rated.engine, [rated.images[4]], PoolAction.exclude, by="root", reason="blurred")
    exported = export_folder(rated.engine, rated.blobs, ALL, tmp_path / "out")
    lines = rows_of(exported.folder / "train/metadata.jsonl")
    assert [line["picture"] for line in lines] == [*rated.images[:4], *rated.images[5:8]]
    assert len({row["rater"] for row in rows_of(exported.folder / "votes.jsonl")}) == 2


@pytest.mark.parametrize(
    ("wanted", "places"),
    [
        (Wanted((Which.rejects,)), [1, 2, 3]),
        (Wanted((Which.disputed,)), [0]),
        (Wanted((Which.rejects, Which.keeps, Which.disputed)), [*range(8)]),
        (Wanted(filter=Filter(rater="bob")), [1, 5, 7]),
        (Wanted(filter=Filter(reason=Reason.hands)), [1, 2, 3]),
        (Wanted(filter=Filter(prompt="STAR")), [3, 6]),
    ],
)
def test_the_filters_are_those_of_the_pool(rated: Rated, tmp_path: Path, wanted: Wanted, places: list[int]):
    out = export_folder(rated.engine, rated.blobs, wanted, tmp_path / "out").folder
    lines = rows_of(out / "train/metadata.jsonl")
    assert [line["picture"] for line in lines] == [rated.images[place] for place in places]
    assert len(list(out.rglob("*.png"))) == len(places)


def test_a_tied_picture_has_no_label(rated: Rated, tmp_path: Path):
    out = export_folder(rated.engine, rated.blobs, Wanted((Which.disputed,)), tmp_path / "out").folder
    assert [line["label"] for line in rows_of(out / "train/metadata.jsonl")] == [None]
    assert not (out / "pairs").exists()


def test_a_lost_or_altered_file_is_left_out_everywhere_and_named(rated: Rated, tmp_path: Path):
    with reading(rated.engine) as session:
        lost, altered = (session.get_one(Image, rated.images[place]).sha256 for place in (1, 2))
    rated.blobs.path(lost).unlink()
    rated.blobs.path(altered).write_bytes(b"altered")
    exported = export_folder(rated.engine, rated.blobs, ALL, tmp_path / "out")
    assert exported.held.lost == 2
    assert "2 pictures left out" in exported.words
    assert "2 pictures left out" in (exported.folder / "README.md").read_text()
    for name in ("train/metadata.jsonl", "votes.jsonl", "label-studio.json", "metadata.csv"):
        text = (exported.folder / name).read_text()
        assert lost not in text and altered not in text
    assert exported.held.pairs == 1


def test_shards_hold_each_picture_with_its_caption_and_its_line(rated: Rated, tmp_path: Path):
    out = export_folder(rated.engine, rated.blobs, Wanted(has_shards=True), tmp_path / "out").folder
    lines = {Path(line["file_name"]).stem: line for line in rows_of(out / "train/metadata.jsonl")}
    with tarfile.open(out / "shards/train-000000.tar") as tar:
        found = {name: tar.extractfile(name).read() for name in tar.getnames()}
    assert set(found) == {f"{key}.{kind}" for key in lines for kind in ("png", "txt", "json")}
    for key, line in lines.items():
        assert sha256_of(found[f"{key}.png"]) == line["sha256"]
        assert found[f"{key}.txt"].decode() == line["caption"]
        assert json.loads(found[f"{key}.json"])["label"] == line["label"]


def test_the_card_counts_what_was_written(rated: Rated, out: Path):
    card = (out / "README.md").read_text()
    assert card.startswith("---\n")
    assert "license: apache-2.0" in card
    assert "| pictures | 7 |" in card
    assert "| rejected / kept / tied | 3 / 4 / 0 |" in card
    assert "| votes that count | 10 |" in card
    assert "| pairs of votes on a picture that agree | 100% |" in card


def test_nothing_is_overwritten_and_nothing_chosen_writes_nothing(rated: Rated, tmp_path: Path):
    (tmp_path / "mine").mkdir()
    with pytest.raises(BadRequest, match="never overwrites"):
        export_folder(rated.engine, rated.blobs, ALL, tmp_path / "mine")
    with pytest.raises(BadRequest, match="no picture is chosen"):
        export_folder(rated.engine, rated.blobs, Wanted(filter=Filter(prompt="zebra")), tmp_path / "none")
    with pytest.raises(BadRequest, match="no rater of this store is called 'nobody'"):
        export_folder(rated.engine, rated.blobs, Wanted(filter=Filter(rater="nobody")), tmp_path / "none")
    assert [path.name for path in tmp_path.iterdir() if path.name != "data"] == ["mine"]


def test_pictures_taken_out_are_named_when_no_other_is_chosen(rated: Rated, tmp_path: Path):
    curate(rated.engine, rated.images, PoolAction.exclude, by="root", reason="blurred")
    with pytest.raises(BadRequest, match=r"\d pictures taken out of the pool would pass: --which 'taken out'"):
        export_folder(rated.engine, rated.blobs, ALL, tmp_path / "out")


def test_two_exports_into_one_folder_are_refused(rated: Rated, tmp_path: Path):
    with only_one(tmp_path / ".naysayer-export-out/held.lock", "held"), pytest.raises(Busy, match="another export"):
        export_folder(rated.engine, rated.blobs, ALL, tmp_path / "out")


def test_a_disk_that_refuses_is_told_in_a_sentence(rated: Rated, tmp_path: Path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(BadRequest, match="is a file, and a folder is needed"):
        export_folder(rated.engine, rated.blobs, ALL, tmp_path / "file" / "out")
    with pytest.raises(StoreError, match="was not written") as refused:
        export_folder(rated.engine, rated.blobs, ALL, Path("/proc/naysayer-out"))
    assert "waits" not in str(refused.value)


def test_a_card_lists_pairs_only_where_there_are_some(rated: Rated, out: Path, tmp_path: Path):
    rejects = export_folder(rated.engine, rated.blobs, Wanted((Which.rejects,)), tmp_path / "rejects").folder
    assert [("`pairs/" in (folder / "README.md").read_text()) for folder in (out, rejects)] == [True, False]


def _export_until_killed(rated: Rated, folder: Path) -> None:
    put, written = folder_module._put, 0

    def put_slowly(path: Path, part: folder_module.Part) -> None:
        nonlocal written
        put(path, part)
        written += 1
        if written == 5:
            os.kill(os.getpid(), signal.SIGKILL)

    folder_module._put = put_slowly
    export_folder(rated.engine, rated.blobs, ALL, folder)


def test_a_killed_export_leaves_no_folder_and_is_taken_up(rated: Rated, tmp_path: Path, exit_code_of):
    rated.engine.dispose()
    assert exit_code_of(_export_until_killed, rated, tmp_path / "out") == -signal.SIGKILL
    assert not (tmp_path / "out").exists()
    left = sorted((tmp_path / ".naysayer-export-out/files").rglob("*.png"))
    assert len(left) == 5
    left[0].write_bytes(b"cut off")  # as a power cut may leave it
    press(rated.engine, "Bob", {rated.images[4]: REJECT})  # tied now: no longer chosen
    before = left[1].stat().st_mtime_ns
    time.sleep(0.01)
    exported = export_folder(rated.engine, rated.blobs, ALL, tmp_path / "out")
    assert exported.resumed == 3
    names = {f"train/{line['file_name']}" for line in rows_of(exported.folder / "train/metadata.jsonl")}
    assert {path.relative_to(exported.folder).as_posix() for path in exported.folder.rglob("*.png")} == names
    assert min(path.stat().st_mtime_ns for path in exported.folder.rglob("*.png")) <= before
    for line in rows_of(exported.folder / "train/metadata.jsonl"):
        assert sha256_of_file(exported.folder / "train" / line["file_name"]) == line["sha256"]
    assert not (tmp_path / ".naysayer-export-out").exists()


def test_large_stores_are_read_page_by_page(filled: Rated, tmp_path: Path, monkeypatch):
    monkeypatch.setattr("feedback.exchange.outgoing.chosen.PAGE", 3)
    monkeypatch.setattr("feedback.exchange.outgoing.pairs.PROMPTS", 1)
    monkeypatch.setattr("feedback.exchange.outgoing.pairs.FILE_BYTES", 1)
    monkeypatch.setattr("feedback.exchange.outgoing.pairs.GROUP_BYTES", 1)
    press(filled.engine, "Ann", dict.fromkeys(filled.images[:6], REJECT) | dict.fromkeys(filled.images[6:], KEEP))
    out = export_folder(filled.engine, filled.blobs, ALL, tmp_path / "out").folder
    assert [line["picture"] for line in rows_of(out / "train/metadata.jsonl")] == filled.images
    assert [path.name for path in sorted((out / "pairs").iterdir())] == [f"pairs-{n:05d}.parquet" for n in range(6)]
    assert {pq.read_table(path).num_rows for path in (out / "pairs").iterdir()} == {1}
    assert png(1) != png(2)
