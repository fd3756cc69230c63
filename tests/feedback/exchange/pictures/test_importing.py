"""Pictures of other programs come in once, are rated beside others, and train only where they may."""

import io
import json
import os
import zipfile
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image as Picture
from sqlalchemy import Engine
from sqlmodel import select

from feedback.exchange.pictures.bases import known_models, parse_models, remember
from feedback.exchange.pictures.importing import Import, import_pictures
from feedback.exchange.pictures.mapping import read_mapping
from feedback.exchange.pictures.outcome import Outcome
from feedback.exchange.pictures.outcome import Terms as Limits
from feedback.exchange.pictures.sources import Folder, open_source
from feedback.figures.summary import version_rows
from feedback.pool.pool import how_due
from feedback.rate.display import shown_bytes
from feedback.rate.queue import next_images
from feedback.rate.terms import Terms
from feedback.sample.plan import next_work
from feedback.sample.work import Wanted
from feedback.versions import promote
from store.engine import reading
from store.errors import BadRequest
from store.layout import layout_of
from store.tables import Image, Origin, PoolEvent, Prompt
from tests.feedback.exchange.pictures.brought import OTHER, OURS, bring, facts, folder_of, imported, look, png, seen
from tests.feedback.metadata import made
from tests.feedback.rating import KEEP, REJECT, pool_ids, pool_of, rate


@pytest.fixture
def store(engine: Engine, fill) -> Engine:
    """A store that has drawn four pictures of 64×64 with the base `builtin`."""
    fill(engine, images=4)
    return engine


def test_a_picture_comes_in_with_what_its_file_says(settings, store, tmp_path):
    data = png("a fox,\nin snow", 2**64 - 1)
    report, said = bring(settings, store, folder_of(tmp_path / "in", a__png=data))
    [image], [fact] = imported(store), facts(store)
    assert (report.new, report.left_out, said) == (1, 0, [])
    assert (image.width, image.height, image.guidance_scale, image.num_inference_steps) == (64, 64, 3.0, 20)
    assert (image.negative_prompt, image.is_queued, image.latent_sha256, image.version) == ("x", True, None, 0)
    assert (fact.tool, fact.seed, fact.model, fact.base) == ("A1111", str(2**64 - 1), "builtin", "sdxl")
    assert layout_of(settings).blobs.get(image.sha256) == data
    with reading(store) as session:
        prompt = session.get_one(Prompt, image.prompt_id)
    assert (prompt.text, prompt.is_active) == ("a fox, in snow", False)


@pytest.mark.parametrize("processes", [1, 2])
def test_the_same_pixels_come_in_once(settings, store, tmp_path, processes):
    data = png("a fox")
    with Picture.open(io.BytesIO(data)) as picture:
        again = io.BytesIO()
        picture.save(again, "PNG", compress_level=1)
    folder_of(tmp_path / "in", a__png=data, b__png=data, sub___c__png=png("a fox"))
    folder_of(tmp_path / "again", d__png=again.getvalue(), d__txt=f"a wolf\n{OURS}, Seed: 1".encode())
    assert bring(settings, store, tmp_path / "in", processes=processes)[0].new == 2
    assert bring(settings, store, tmp_path / "again", processes=processes)[0].known == 1
    assert len(imported(store)) == 2


def test_what_came_in_before_is_not_read_again(settings, store, tmp_path, monkeypatch):
    path = folder_of(tmp_path / "in", a__png=png("a fox"), b__png=png("a wolf"))
    bring(settings, store, path)
    (path / "c.png").write_bytes(png("an owl"))
    read: list[str] = []
    plain = Folder.read
    monkeypatch.setattr(Folder, "read", lambda self, name: read.append(name) or plain(self, name))
    report, _ = bring(settings, store, path)
    assert (report.new, report.known, set(read)) == (1, 2, {"c.png"})


def test_an_import_that_is_stopped_goes_on(settings, store, tmp_path):
    names = {f"p{number:03d}__png": png(f"fox {number}") for number in range(120)}
    path = folder_of(tmp_path / "in", **names)
    (path / "p060.png").write_bytes(b"")

    def say(line: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_pictures(Import(store, open_source(path), Limits(None)), layout_of(settings).blobs, say)
    assert len(imported(store)) == 50
    report, said = bring(settings, store, path)
    assert (report.new, report.known, len(said)) == (69, 50, 1)


def test_refused_files_leave_nothing_and_say_why(settings, store, tmp_path):
    path = folder_of(
        tmp_path / "in",
        a__png=png("a fox"),
        empty__png=b"",
        plain__png=made.png(),
        page__jpg=b"<html>",
        grid____1__png=b"x",
        xyz_grid__1__png=b"x",
        sd1__png=png("a fox", settings=OURS.replace("builtin", "v1-5-pruned-emaonly")),
        long__png=png("fox " * 600),
        tiny__png=png("a fox", settings=OURS.replace("64x64", "1x1"), size=(1, 1)),
        note__txt=b"no picture",
    )
    before = {file for file in layout_of(settings).root.rglob("*") if file.is_file()}
    report, said = bring(settings, store, path)
    assert report.new == 1
    assert report.refused.total() == len(said) == 8
    assert all(": " in line and "\n" not in line for line in said)
    made_files = {file for file in layout_of(settings).root.rglob("*") if file.is_file()} - before
    assert {file.name for file in made_files if file.parent.parent.name == "blobs"} == {imported(store)[0].sha256}
    assert "1  new" in report.words
    assert "refused: damaged or no pictures" in report.words
    assert "2  refused: whose prompt or size cannot be used" in report.words
    assert sum(count for count, _ in report.rows) == report.total == 9


def test_a_dry_run_says_what_an_import_then_does(settings, store, tmp_path):
    data = png("a fox")
    path = folder_of(tmp_path / "in", a__png=data, b__png=data, c__png=png("an owl", settings=OTHER), d__png=b"")
    first, totals = look(store, path)
    assert [one.outcome for one in first] == [Outcome.new, Outcome.known, Outcome.rated_only, Outcome.refused]
    assert imported(store) == []
    assert totals == bring(settings, store, path)[0]
    assert look(store, path)[1].rows == [(3, "here already"), (1, "refused: damaged or no pictures")]


def test_nothing_to_look_at_is_said(store, tmp_path):
    assert look(store, tmp_path)[1].words == "no picture was found"
    for empty in ("", "  "):
        with pytest.raises(BadRequest, match="the path is empty"):
            open_source(empty)


def test_a_zip_archive_is_read_as_a_folder_is(settings, store, tmp_path):
    with zipfile.ZipFile(tmp_path / "in.zip", "w") as archive:
        archive.writestr("sub/a.png", png("a fox"))
        archive.writestr("../../b.png", made.png(size=(64, 64)))
        archive.writestr("../../b.txt", f"a wolf\n{OURS}, Seed: 3")
        archive.writestr("__MACOSX/._a.png", b"x")
        archive.writestr("huge.png", bytes(80 << 20), zipfile.ZIP_DEFLATED)
    report, said = bring(settings, store, tmp_path / "in.zip", processes=2)
    assert report.new == 2
    assert [line.split(":")[0] for line in said] == ["huge.png"]
    assert not (tmp_path.parent / "b.png").exists()


def test_texts_that_no_database_holds_come_in_without_what_it_cannot(settings, store, tmp_path):
    own = {
        "prompt": "a fox",
        "negative_prompt": "x\ud800\x00\x1by",
        "seed": 3,
        "model": "m\x00\udfff",
        "width": 64,
        "height": 64,
    }
    path = folder_of(tmp_path / "in", a__png=made.png(made.text("parameters", json.dumps(own))))
    (path / os.fsdecode(b"\xff.png")).write_bytes(png("an owl"))
    report, _ = bring(settings, store, path)
    assert report.new == 2
    assert bring(settings, store, path)[0].known == 2
    assert any("y" in image.negative_prompt for image in imported(store))


def test_a_list_supplies_what_the_files_do_not_say(settings, store, tmp_path):
    path = folder_of(
        tmp_path / "in",
        a__png=made.png(),
        b__png=made.png(),
        c__png=png("a fox", 7),
    )
    rows = [
        {"file": "a.png", "prompt": "a wolf", "seed": 5, "model": "builtin", "negative_prompt": "y"},
        {"file": "c.png", "prompt": "an owl", "seed": 9},
    ]
    (tmp_path / "list.jsonl").write_text("\n".join(map(json.dumps, rows)))
    mapped = read_mapping(tmp_path / "list.jsonl")
    report, said = bring(settings, store, path, mapped=mapped)
    assert (report.new, report.left_out) == (2, 0)
    assert [line.split(":")[0] for line in said] == ["b.png"]
    assert [fact.seed for fact in facts(store)] == ["5", "7"]
    assert Counter(image.negative_prompt for image in imported(store)) == {"x": 1, "y": 1}


def test_a_list_without_files_is_refused(tmp_path):
    (tmp_path / "list.csv").write_text("prompt,seed\na fox,3\n")
    with pytest.raises(BadRequest, match=r"line 2.*names no file"):
        read_mapping(tmp_path / "list.csv")


def test_imported_pictures_are_rated_beside_the_sampled_ones(settings, store, tmp_path):
    other = made.jpeg(made.comment(f"an owl\n{OURS}, Seed: 3"))
    bring(settings, store, folder_of(tmp_path / "in", a__png=png("a fox"), b__jpg=other))
    shown = next_images(store, "Ann", Terms(1, 600), count=99)
    assert {one.image_id for one in shown} >= {image.id for image in imported(store)}
    assert len(shown) == 6


@pytest.mark.parametrize(("name", "data"), [
    ("a__png", png("a secret")),
    ("a__jpg", made.jpeg(made.comment(f"a secret\n{OURS}, Seed: 3"), (0xFE, b"a secret"))),
    ("a__webp", made.webp(made.comment(f"a secret\n{OURS}, Seed: 3", codec="utf-8", head=b""))),
])  # fmt: skip
def test_no_metadata_is_shown(settings, store, tmp_path, name, data):
    bring(settings, store, folder_of(tmp_path / "in", **{name: data}))
    [image] = imported(store)
    shown = shown_bytes(layout_of(settings), image.sha256)
    for secret in (b"secret", "secret".encode("utf-16-le"), "secret".encode("utf-16-be")):
        assert secret not in shown
    with Picture.open(io.BytesIO(shown)) as picture:
        assert picture.size == (64, 64)
        assert picture.format in ("PNG", "WEBP")
    assert layout_of(settings).blobs.get(image.sha256) == data


def test_only_what_its_prompt_explains_is_trained_on(settings, store, tmp_path):
    path = folder_of(
        tmp_path / "in",
        a__png=png("ours"),
        b__png=png("upscaled", settings=f"{OURS}, Hires upscale: 2"),
        c__png=png("unknown", settings=OTHER),
        d__png=png("official", settings=OURS.replace("builtin", "sd_xl_base_1.0")),
        e__png=png("large", settings=OURS.replace("64x64", "72x72"), size=(72, 72)),
        f__png=png("no seed", seed=-1),
    )
    report, _ = bring(settings, store, path)
    assert (report.new, report.left_out) == (6, 4)
    images = imported(store)
    rate(store, "Ann", {image.id: REJECT for image in images})
    assert pool_ids(store) == [images[0].id, images[5].id]
    assert [item.latent_sha256 for item in pool_of(store)] == [None, None]
    assert how_due(store, 50).new_rejects == 2
    with reading(store) as session:
        reasons = [event.reason for event in session.exec(select(PoolEvent).order_by(PoolEvent.id))]
    starts = ("it was upscaled", "which base fox is of", "it was drawn by another SDXL", "it is 72×72; this store")
    assert [why.startswith(start) for why, start in zip(reasons, starts, strict=True)] == [True] * 4
    assert "--model '45a21ea00a=sdxl'" in reasons[1]


def test_what_a_model_is_is_said_once(settings, store, tmp_path):
    path = folder_of(tmp_path / "in", a__png=png("a fox", settings=OTHER))
    assert "which base fox is of" in seen(store, path)["a.png"]
    remember(store, parse_models(["45A21EA00A=ours"]))
    assert seen(store, path)["a.png"] == "ok: "
    remember(store, parse_models(["45a21ea00a=sd1"]))
    assert seen(store, path)["a.png"].startswith("not SDXL: its base is sd1, not SDXL; ")
    assert known_models(store)["builtin"] == "ours"


@pytest.mark.parametrize("word", ["fox", "=sdxl", "fox=", "fox=sd9"])
def test_a_malformed_model_is_refused(word):
    with pytest.raises(BadRequest, match="NAME=BASE"):
        parse_models([word])


def test_a_dry_run_changes_nothing(settings, store, tmp_path):
    path = folder_of(tmp_path / "in", a__png=png("a fox"), b__png=b"")
    before = sorted(settings.data_dir.rglob("*"))
    assert set(seen(store, path)) == {"a.png", "b.png"}
    assert (imported(store), sorted(settings.data_dir.rglob("*"))) == ([], before)


def test_no_rate_counts_imported_pictures(settings, store, tmp_path, fill):
    before = version_rows(store)
    bring(settings, store, folder_of(tmp_path / "in", **{f"p{one}__png": png(f"fox {one}") for one in range(5)}))
    rate(store, "Ann", dict.fromkeys([image.id for image in imported(store)], KEEP))
    assert version_rows(store) == before


def test_the_worker_still_fills_the_queue_beside_them(settings, store, tmp_path):
    wanted = Wanted(target=6, batch=6, base_slice=0.5, pairs=2)
    before = len(next_work(store, wanted))
    bring(settings, store, folder_of(tmp_path / "in", **{f"p{one}__png": png(f"fox {one}") for one in range(9)}))
    assert len(next_work(store, wanted)) == before


def test_a_new_champion_leaves_them_in_the_queue(settings, store, tmp_path, publish_version):
    bring(settings, store, folder_of(tmp_path / "in", a__png=png("a fox")))
    promote(store, publish_version(store, 1))
    assert [image.is_queued for image in imported(store)] == [True]
    with reading(store) as session:
        assert not any(session.exec(select(Image.is_queued).where(Image.origin == Origin.sampled)))


def test_a_store_without_a_base_is_refused(settings, engine, tmp_path):
    with pytest.raises(BadRequest, match="no base model yet"):
        bring(settings, engine, folder_of(tmp_path / "in", a__png=png("a fox")))


@pytest.mark.parametrize("name", ["gone", "file.txt"])
def test_a_source_that_is_none_is_refused(tmp_path, name):
    (tmp_path / "file.txt").write_text("x")
    with pytest.raises(BadRequest, match="folder of pictures, or a ZIP"):
        open_source(tmp_path / name)


def test_the_real_pictures_come_in(settings, store, tmp_path, real_pictures):
    report, said = bring(settings, store, Path(real_pictures), processes=2)
    assert report.new == len(imported(store))
    assert (report.new, report.known, report.refused.total()) == (40, 0, 28)  # two of one black pixel are too small
    *refused, advice = said
    assert len(refused) == 28
    assert advice.startswith("which base ")
    assert bring(settings, store, Path(real_pictures))[0].known == 40


def test_pictures_come_in_once_on_any_database(settings, any_engine, fill, tmp_path):
    settings.data_dir.mkdir(exist_ok=True)
    fill(any_engine, images=2)
    own = {"prompt": "a fox", "negative_prompt": "x\x00y", "seed": 3, "model": "builtin"}
    hidden = made.png(made.text("parameters", json.dumps(own)))
    path = folder_of(tmp_path / "in", a__png=png("a fox", 2**64 - 1), b__png=png("a wolf"), c__png=hidden)
    assert [bring(settings, any_engine, path)[0].new for _ in range(2)] == [3, 0]
    rate(any_engine, "Ann", {image.id: REJECT for image in imported(any_engine)})
    assert len(pool_ids(any_engine)) == 3
