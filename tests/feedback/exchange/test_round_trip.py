"""An export brought into another store: its own pictures by its own lists, then its votes on them."""

import io
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image as Picture
from sqlmodel import select

from feedback.exchange.incoming.said import Source
from feedback.exchange.incoming.take import import_votes
from feedback.exchange.outgoing.chosen import Wanted
from feedback.exchange.outgoing.folder import export_folder
from feedback.exchange.pictures.bases import drawn_size
from feedback.exchange.pictures.importing import Import, import_pictures
from feedback.exchange.pictures.mapping import Mapped, own_mapping, read_mapping
from feedback.exchange.pictures.outcome import Terms
from feedback.exchange.pictures.reading import pixels_hash
from feedback.exchange.pictures.sources import open_source
from feedback.pool.browse.gallery import Which
from feedback.pool.tally import differences
from feedback.versions import begin
from store.engine import reading
from store.layout import layout_of
from store.migrate import open_store
from store.settings import Settings
from store.tables import CurrentVote, Image, ImageTally, Prompt, Verdict, VoteReason
from tests.feedback.exchange.conftest import KEEP, REJECT, Rated, press
from tests.feedback.exchange.pictures.brought import bring, folder_of, imported, png
from tests.feedback.rating import pool_of

EVERYTHING = Wanted((Which.rejects, Which.keeps, Which.disputed))


@pytest.fixture
def out(rated: Rated, settings: Settings, tmp_path: Path) -> Path:
    """An export of drawn and imported pictures; the prompt of the imported is one that a spreadsheet would compute."""
    bring(settings, rated.engine, folder_of(tmp_path / "in", a__png=png("=1+1 foxes", 7), b__png=png("=1+1 foxes", 8)))
    foreign = [image.id for image in imported(rated.engine) if image.id]
    press(rated.engine, "Ann Anders", dict(zip(foreign, (REJECT, KEEP), strict=True)))
    return export_folder(rated.engine, rated.blobs, EVERYTHING, tmp_path / "out").folder


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Settings]:
    """A store of the same base without a picture."""
    settings = Settings(data_dir=tmp_path / "other", _env_file=None)
    engine = open_store(settings)
    begin(engine, "builtin", "0" * 64)
    yield settings
    engine.dispose()


def bring_pictures(settings: Settings, place: Path, mapped: Mapped | None = None) -> tuple[int, int, list[str]]:
    """How many pictures came in, how many of these training leaves out, and what was said."""
    engine, source, said = open_store(settings), open_source(place), list[str]()
    mapped = mapped or own_mapping(source, said.append)
    terms = Terms(drawn_size(engine))
    report = import_pictures(Import(engine, source, terms, mapped), layout_of(settings).blobs, said.append)
    return report.new, report.left_out, said


def judged(settings: Settings) -> dict[tuple[str, str], tuple]:
    """By prompt and pixels: rejects, keeps, and each current verdict with its reasons."""
    engine, blobs = open_store(settings), layout_of(settings).blobs
    with reading(engine) as session:
        rows = session.execute(
            select(Image.id, Image.sha256, Prompt.text, ImageTally.rejects, ImageTally.keeps)
            .join(Prompt, Prompt.id == Image.prompt_id)
            .join(ImageTally, ImageTally.image_id == Image.id)
        ).all()
        votes = session.exec(select(CurrentVote).where(CurrentVote.verdict != Verdict.undo)).all()
        reasons = session.exec(select(VoteReason)).all()
    by_vote = {vote.vote_id: sorted(one.reason for one in reasons if one.vote_id == vote.vote_id) for vote in votes}
    assert differences(engine) == []
    return {
        (prompt, pixels_hash(Picture.open(io.BytesIO(blobs.get(sha256))))): (
            rejects,
            keeps,
            sorted((vote.verdict, by_vote[vote.vote_id]) for vote in votes if vote.image_id == image),
        )
        for image, sha256, prompt, rejects, keeps in rows
        if rejects + keeps
    }


@pytest.mark.parametrize("packed", [False, True])
def test_an_export_gives_the_same_verdicts_in_another_store(settings, rated, out, other, packed):
    place = Path(shutil.make_archive(str(out), "zip", out)) if packed else out
    new, left_out, said = bring_pictures(other, place)
    assert (new, left_out) == (10, 0)
    assert said == [
        "metadata.csv says what the files do not, in 10 rows",
        "train/metadata.jsonl says what the files do not, in 10 rows",
    ]
    report = import_votes(open_store(other), Source(out), overlap=9)
    assert report.left == {}
    assert judged(other) == judged(settings)
    assert {item.prompt for item in pool_of(open_store(other))} == {item.prompt for item in pool_of(rated.engine)}


@pytest.mark.parametrize("name", ["metadata.csv", "train/metadata.jsonl"])
def test_either_list_serves_the_folder_of_pictures(out, other, name):
    (out / "train/metadata.jsonl").rename(out / "lines.jsonl")
    given = out / {"metadata.csv": "metadata.csv", "train/metadata.jsonl": "lines.jsonl"}[name]
    assert bring_pictures(other, out / "train", read_mapping(given))[0] == 10
    lines = map(json.loads, (out / "lines.jsonl").read_text().splitlines())
    names = ("seed", "steps", "guidance", "negative_prompt")
    assert {tuple(line[name] for name in names) for line in lines} == {
        (one.seed, one.num_inference_steps, one.guidance_scale, one.negative_prompt)
        for one in imported(open_store(other))
    }


def test_exported_pairs_are_known_in_both_stores(settings, rated, out, other):
    bring_pictures(other, out)
    for engine in (rated.engine, open_store(other)):
        report = import_votes(engine, Source(out / "pairs/pairs-00000.parquet", "Judge"), overlap=9)
        assert (report.recorded, report.left) == (8, {})


def test_a_list_that_cannot_be_used_is_named_and_the_rest_comes_in(tmp_path, other):
    files = {"a__png": png("a fox"), "metadata__csv": b"name,score\na.png,3\n", "b___metadata__jsonl": b"{"}
    new, _, said = bring_pictures(other, folder_of(tmp_path / "in", **files))
    assert new == 1
    assert [line.split(": ")[0] for line in said] == ["b/metadata.jsonl is not used", "metadata.csv is not used"]
    assert "the columns are name, score; exactly one must be `prompt`" in said[1]


def test_a_path_that_may_be_two_files_says_nothing(tmp_path):
    lines = [{"file_name": f"{part}/a.png", "text": part} for part in ("train", "test")]
    (tmp_path / "list.jsonl").write_text("\n".join(map(json.dumps, lines)))
    mapped = read_mapping(tmp_path / "list.jsonl")
    assert mapped.find("a.png") is None
    assert mapped.find("out/test/a.png") == {"file": "test/a.png", "prompt": "test"}
