import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import torch
from sqlmodel import delete, select
from typer.testing import CliRunner

from feedback.check.version_check import Judged, VersionCheck, make_check, match_scale
from feedback.exchange.pictures.mapping import Mapped
from feedback.exchange.pictures.sources import Archive
from feedback.exchange.sorting.held_out import drawn_pictures
from feedback.exchange.sorting.moving import Target
from feedback.exchange.sorting.table import Cut, Row
from feedback.exchange.sorting.unpacking import unpack
from feedback.sample.prompts import clean_prompt
from feedback.versions import get_version, promote
from store.engine import reading, writing
from store.errors import BadRequest
from store.layout import layout_of
from store.migrate import open_store
from store.settings import Settings
from store.tables import Image, Origin, PictureScore, Prompt, Version
from tests.feedback.exchange.pictures.brought import OURS, folder_of, imported, png
from tests.feedback.metadata import made
from tests.waiting import PATIENCE_S, until
from trainer.base.vae import encode_picture
from trainer.commands import app
from trainer.sample.check import CHECK, Checker, read_latent
from trainer.sample.scores.kept import TwoWays
from trainer.sample.scores.scorer import score_two_ways
from trainer.sort.sort import Order, act, sort

ON = make_check(CHECK, [Judged(k / 40 + k % 2, k % 2 == 1, f"prompt {k // 4}") for k in range(80)])


def crown(settings: Settings, check: VersionCheck | None) -> None:
    """Makes v1 the champion with this check, which scored every picture of the pool, the rejected ones at 1."""
    engine = open_store(settings)
    promote(engine, 1)
    with writing(engine) as session:
        session.get_one(Version, 1).check = check and check.as_json()
        session.execute(delete(PictureScore))
        for image in session.exec(select(Image).where(Image.origin == Origin.sampled)):
            score = float((image.id or 0) % 2)
            session.add(PictureScore(image_id=image.id or 0, version=1, score=score, is_out_of_sample=True))
    engine.dispose()


@pytest.fixture
def checked(retrained) -> Settings:
    crown(retrained, ON.with_cut([0.0]))
    return retrained


@pytest.fixture
def folder(checked, tmp_path) -> Path:
    """Seven pictures of the store with their prompts beside them, one without, and one that is none."""
    engine, blobs = open_store(checked), layout_of(checked).blobs
    with reading(engine) as session:
        rows = session.exec(select(Image, Prompt).join(Prompt).where(Image.origin == Origin.sampled).limit(7)).all()
    engine.dispose()
    for number, (image, prompt) in enumerate(rows):
        name = f"{number}__png" if number else "sub___0__png"
        folder_of(tmp_path / "in", **{name: blobs.get(image.sha256), name[:-5] + "__txt": prompt.text.encode()})
    return folder_of(tmp_path / "in", x__png=png("")[:99], y__png=blobs.get(rows[0][0].sha256))


def scores(found) -> dict[str, float | None]:
    return {row.entry.name: row.score for row in found.rows}


def test_a_score_is_what_the_check_says_of_the_picture_under_its_prompt(checked, folder, own_base):
    said: list[str] = []
    found = sort(checked, Order(folder), said.append)
    assert said == ["loading the model"]
    engine = open_store(checked)
    version, checker = get_version(engine, 1), Checker(own_base, layout_of(checked))
    engine.dispose()
    names = ["sub/0.png", *(f"{number}.png" for number in range(1, 7))]
    latents = torch.stack([encode_picture(own_base, (folder / name).read_bytes()).mean.float() for name in names])
    prompts = [clean_prompt((folder / name).with_suffix(".txt").read_text()) for name in names]
    engine = open_store(checked)
    scale = score_two_ways(checker, version, drawn_pictures(engine, 24))
    engine.dispose()
    raw = checker.reject_scores(version, latents, prompts).tolist()
    expected = torch.tensor(match_scale(raw, scale.from_pixels, scale.from_latents))
    checker.strip()
    torch.testing.assert_close(torch.tensor([scores(found)[name] for name in names]), expected, atol=1e-4, rtol=1e-3)
    assert expected.std() > 1e-3  # or the order would mean nothing
    ordered = [row.score for row in found.rows if row.score is not None]
    assert ordered == sorted(ordered, reverse=True)
    unscored = {row.entry.name: row.why for row in found.rows if row.score is None}
    assert set(unscored) == {"x.png", "y.png"}
    assert "it holds no prompt" in unscored["y.png"]
    assert "on 24 held-out pictures: of what it flags, raters rejected 100 %" in found.words


def test_scores_from_pixels_are_on_the_scale_of_the_held_out_ones(checked, own_base):
    engine = open_store(checked)
    version, checker, pictures = (
        get_version(engine, 1),
        Checker(own_base, layout_of(checked)),
        drawn_pictures(engine, 24),
    )
    engine.dispose()
    found = score_two_ways(checker, version, pictures)
    own = torch.stack([read_latent(own_base, layout_of(checked), image) for image, _ in pictures])
    expected = checker.reject_scores(version, own, [prompt for _, prompt in pictures])
    checker.strip()
    torch.testing.assert_close(torch.tensor(found.from_latents), expected, atol=1e-4, rtol=1e-3)
    matched = torch.tensor(found.matched(found.from_pixels))
    assert abs(torch.tensor(found.from_pixels).mean() - expected.mean()) > 0.1 * expected.std()  # they are shifted
    torch.testing.assert_close(matched.mean(), expected.mean(), atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(matched.std(), expected.std(), atol=1e-4, rtol=1e-3)
    assert TwoWays(found.from_pixels[:7], found.from_latents[:7]).matched([1.0]) == [1.0]


def test_a_second_call_scores_only_what_is_new(checked, folder):
    first = sort(checked, Order(folder), print)
    said: list[str] = []
    assert scores(sort(checked, Order(folder), said.append)) == scores(first)
    assert said == []  # the model was not loaded
    [kept] = (layout_of(checked).cache / "scores").glob("*.txt")
    kept.write_bytes(kept.read_bytes()[:-8])  # as a kill leaves it
    (folder / "1.txt").write_text("quite another prompt")
    shutil.copy(folder / "2.png", folder / "2 again.png")
    shutil.copy(folder / "2.txt", folder / "2 again.txt")
    again = scores(sort(checked, Order(folder), said.append))
    assert said == ["loading the model"]
    assert again["2 again.png"] == again["2.png"]
    assert again["1.png"] != scores(first)["1.png"]
    for name in ("2.png", "3.png", "4.png", "5.png", "6.png"):
        assert again[name] == pytest.approx(scores(first)[name], abs=1e-4)


def test_a_list_supplies_prompts_and_a_size_the_check_has_not_seen_is_said(checked, tmp_path):
    large = png("a red star", settings=OURS.replace("64x64", "640x640"), size=(640, 640))
    folder = folder_of(tmp_path / "in", a__png=png("a red star"), b__png=large, c__png=made.png())
    found = sort(checked, Order(folder, Mapped([("c.png", {"prompt": "a blue hand"})])), print)
    assert {row.entry.name: row.why[:16] for row in found.rows} == {
        "a.png": "",
        "b.png": "it is 640×640; t",
        "c.png": "",
    }


def test_a_champion_without_a_check_or_with_one_that_is_off_is_one_sentence(retrained, tmp_path):
    with pytest.raises(BadRequest, match="the champion, v0, has no check"):
        sort(retrained, Order(tmp_path), print)
    crown(retrained, VersionCheck(CHECK, "the check is off: it needs more"))
    with pytest.raises(BadRequest, match="v1, cannot score pictures: the check is off"):
        sort(retrained, Order(tmp_path), print)


def test_a_store_without_a_champion_is_one_sentence(settings, tmp_path):
    with pytest.raises(BadRequest, match="this store has no champion"):
        sort(settings, Order(tmp_path), print)
    assert not settings.data_dir.exists()


def test_the_most_doubtful_go_to_raters_once_and_more_only_when_more_are_asked_for(checked, folder):
    found = sort(checked, Order(folder), print)
    order = Order(folder, number=2)
    [said] = act(checked, Order(folder, number=2, is_dry=True), found, print)
    engine = open_store(checked)
    assert imported(engine) == []
    nearest = sorted((row for row in found.rows if row.score is not None), key=lambda row: abs(row.score - found.cut))
    assert said == "would send to raters: " + ", ".join(row.entry.name for row in nearest[:2])
    act(checked, order, found, print)
    assert len(imported(engine)) == 2
    assert len(imported(engine)) == 2
    act(checked, Order(folder, number=4), found, print)
    blobs = {layout_of(checked).blobs.get(image.sha256) for image in imported(engine)}
    engine.dispose()
    assert blobs == {(folder / row.entry.name).read_bytes() for row in nearest[:4]}


def test_the_command_prints_a_table_and_moves_what_it_flags(checked, folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = CliRunner().invoke
    shown = run(app, ["sort", "in", "--json", "--cut", "40%"], catch_exceptions=False)
    lines = [json.loads(line) for line in shown.stdout.splitlines()]
    flagged = {line["file"] for line in lines if line["flagged"]}
    assert len(lines) == 9
    assert len(flagged) == 3
    dry = run(app, ["sort", "in", "--cut", "40%", "--move", "out", "--dry-run"], catch_exceptions=False)
    assert [row["file"] for row in csv.DictReader(io.StringIO(dry.stdout))] == [line["file"] for line in lines]
    assert "would move 3 pictures to out" in dry.stderr
    assert not (tmp_path / "out").exists()
    done = run(app, ["sort", "in", "--cut", "40%", "--move", "out"], catch_exceptions=False)
    assert "v1 flags 3 of 9 pictures" in done.stderr
    assert "moved 3 pictures to out" in done.stderr
    assert {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*.png")} == flagged
    assert len(list((tmp_path / "out").rglob("*.txt"))) == 3
    again = run(app, ["sort", "in", "--cut", "40%", "--move", "out"], catch_exceptions=False)
    assert "moved 0 pictures to out" in again.stderr
    shutil.copy(tmp_path / "out" / sorted(flagged)[0], tmp_path / "in" / "late.png")  # as bad as the worst
    shutil.copy((tmp_path / "out" / sorted(flagged)[0]).with_suffix(".txt"), tmp_path / "in" / "late.txt")
    late = run(app, ["sort", "in", "--cut", "60%", "--move", "out"], catch_exceptions=False)
    assert "moved 2 pictures to out" in late.stderr  # 60 % of 8 are 5, of which 3 went before
    assert (tmp_path / "out" / "late.png").exists()


def test_an_archive_is_sorted_copied_from_and_never_moved_from(checked, folder, tmp_path):
    archive = Path(shutil.make_archive(str(tmp_path / "in"), "zip", folder))
    with pytest.raises(BadRequest, match="use --copy"):
        sort(checked, Order(archive, target=Target(tmp_path / "out", moves=True)), print)
    order = Order(archive, cut=Cut(share=0.4), target=Target(tmp_path / "out", moves=False), number=2)
    found = sort(checked, order, print)
    assert scores(found) == pytest.approx(scores(sort(checked, Order(folder), print)), abs=1e-6)
    names = sorted(row.entry.name for row in found.flagged)
    for _ in range(2):
        done = act(checked, order, found, print)
        assert done[1] == f"copied {len(names)} pictures to {tmp_path / 'out'}"
        assert sorted(str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*.png")) == names
    assert all((tmp_path / "out" / name).read_bytes() == (folder / name).read_bytes() for name in names)
    assert all((tmp_path / "out" / name).with_suffix(".txt").exists() for name in names)
    engine = open_store(checked)
    assert len(imported(engine)) == 2
    engine.dispose()


def test_a_name_that_points_out_of_the_target_is_not_unpacked(tmp_path):
    with zipfile.ZipFile(tmp_path / "in.zip", "w") as file:
        file.writestr("../evil.png", b"x")
    source, said = Archive(tmp_path / "in.zip"), []
    rows = [Row(entry, "", 1.0) for entry in source.entries()]
    assert unpack(source, rows, Target(tmp_path / "out", moves=False), said.append).rows == []
    assert said == ["../evil.png stays: its name points out of the folder"]
    assert not (tmp_path / "evil.png").exists()


def test_move_and_copy_exclude_each_other(tmp_path):
    with pytest.raises(BadRequest, match="give one of them"):
        CliRunner().invoke(app, ["sort", "in", "--move", "a", "--copy", "b"], catch_exceptions=False)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_stopped_call_keeps_its_scores_and_the_next_one_goes_on(checked, tmp_path, monkeypatch, number):
    monkeypatch.chdir(tmp_path)
    folder = folder_of(tmp_path / "in", **{f"{k}__png": png(f"a red star {k}") for k in range(200)})
    monkeypatch.setenv(
        "PYTHONPATH", os.pathsep.join([str(Path(__file__).parents[3]), os.environ.get("PYTHONPATH", "")])
    )
    command = [sys.executable, "-m", "trainer.commands", "sort", str(folder)]
    call = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    kept = layout_of(checked).cache / "scores"

    def count() -> int:
        return sum(len(path.read_text().split("\n")) for path in kept.glob("*.txt"))

    until(lambda: count() >= 20, "twenty scores")
    call.send_signal(number)
    said = call.communicate(timeout=PATIENCE_S)[1]
    if number == signal.SIGTERM:
        assert call.returncode == 75
        assert "of 200 pictures; the same command goes on from there" in said.splitlines()[-1]
    before = count()
    assert 20 <= before < 200
    answer = CliRunner().invoke(app, command[3:], catch_exceptions=False)
    assert len(answer.stdout.splitlines()) == 201
    assert "v1 flags" in answer.stderr
