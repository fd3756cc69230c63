"""What the worker scores between two drawings: a folder that a page asked for, and one picture for a program."""

import shutil
from pathlib import Path

import pytest
from sqlmodel import select

from feedback.exchange.sorting.one import NAME, ask_score, meaning_of
from feedback.exchange.sorting.sortings import ask_to_sort, require_sorting, rows_of, stop_sorting
from feedback.sample.requests import abandon, task
from store.engine import reading
from store.errors import BadRequest
from store.layout import layout_of
from store.migrate import open_store
from store.tables import Image, Origin, Prompt, TaskStatus
from tests.feedback.exchange.pictures.brought import folder_of, png
from tests.trainer.sort.test_sort import ON, crown
from trainer.sample.check import Checker
from trainer.sample.scores.asked import AskedScores
from trainer.sort.sort import Order, sort


@pytest.fixture
def store(retrained):
    crown(retrained, ON.with_cut([0.0]))
    engine = open_store(retrained)
    yield retrained, engine
    engine.dispose()


@pytest.fixture
def folder(store, tmp_path) -> Path:
    """Ten pictures with their prompts beside them, and one without."""
    settings, engine = store
    with reading(engine) as session:
        rows = session.exec(select(Image, Prompt).join(Prompt).where(Image.origin == Origin.sampled).limit(10)).all()
    for number, (image, prompt) in enumerate(rows):
        data = layout_of(settings).blobs.get(image.sha256)
        folder_of(tmp_path / "in", **{f"{number}__png": data, f"{number}__txt": prompt.text.encode()})
    return folder_of(tmp_path / "in", x__png=data)


def test_a_folder_is_scored_in_slices_as_the_command_scores_it_and_a_new_worker_goes_on(store, folder, own_base):
    settings, engine = store
    number, checker = ask_to_sort(engine, settings, folder).number, Checker(own_base, layout_of(settings))
    rows = rows_of(layout_of(settings), number)
    assert AskedScores(engine, layout_of(settings)).go_on(settings, checker, slice_s=0.0)
    assert len(rows.all()) == 8
    found = require_sorting(engine, number)
    assert (found.status, found.total, found.left_s > 0) == (TaskStatus.running, 11, True)
    abandon(engine)  # the worker was killed
    assert require_sorting(engine, number).status is TaskStatus.waiting
    assert not AskedScores(engine, layout_of(settings)).go_on(settings, checker, slice_s=60.0)
    checker.strip()
    assert require_sorting(engine, number).status is TaskStatus.done
    shown = {row.entry.name: row.score for row in rows.all()}
    assert len(rows.all()) == 11
    assert shown == {row.entry.name: row.score for row in sort(settings, Order(folder), print).rows}
    assert [row.why[:19] for row in rows.all() if row.score is None] == ["it holds no prompt:"]


def test_the_same_folder_goes_on_and_only_what_is_new_or_had_no_score_is_scored(store, folder, own_base):
    settings, engine = store
    scores, checker = AskedScores(engine, layout_of(settings)), Checker(own_base, layout_of(settings))
    first = ask_to_sort(engine, settings, folder)
    scores.go_on(settings, checker, slice_s=60.0)
    shutil.copy(folder / "0.png", folder / "y.png")
    (folder / "x.txt").write_text("a red star")
    (folder / "y.txt").write_text("a red star")
    assert ask_to_sort(engine, settings, folder).number == first.number
    scores.go_on(settings, checker, slice_s=60.0)
    checker.strip()
    added = rows_of(layout_of(settings), first.number).all()[11:]
    assert sorted(row.entry.name for row in added) == ["x.png", "y.png"]
    assert all(row.score is not None for row in added)


def test_a_zip_scores_as_the_folder_that_was_packed(store, folder, own_base, tmp_path):
    settings, engine = store
    packed = Path(shutil.make_archive(str(tmp_path / "packed"), "zip", folder))
    scores, checker = AskedScores(engine, layout_of(settings)), Checker(own_base, layout_of(settings))
    found = []
    for place in (folder, packed):
        number = ask_to_sort(engine, settings, place).number
        assert not scores.go_on(settings, checker, slice_s=60.0)
        assert require_sorting(engine, number).status is TaskStatus.done
        found.append({row.entry.name: row.score for row in rows_of(layout_of(settings), number).all()})
    checker.strip()
    assert found[1] == found[0]
    assert len([score for score in found[0].values() if score is not None]) == 10


def test_a_stopped_folder_stays_stopped(store, folder, own_base):
    settings, engine = store
    number, checker = ask_to_sort(engine, settings, folder).number, Checker(own_base, layout_of(settings))
    scores = AskedScores(engine, layout_of(settings))
    assert scores.go_on(settings, checker, slice_s=0.0)
    stop_sorting(engine, number)
    assert not scores.go_on(settings, checker, slice_s=0.0)
    assert not scores.go_on(settings, checker, slice_s=0.0)
    checker.strip()
    assert require_sorting(engine, number).status is TaskStatus.failed
    with pytest.raises(BadRequest, match="not being scored"):
        stop_sorting(engine, number)


def test_one_picture_scores_as_in_a_folder_and_its_meaning_is_said(store, folder, own_base, tmp_path):
    settings, engine = store
    checker = Checker(own_base, layout_of(settings))
    shutil.copy(folder / "3.png", tmp_path / NAME)
    number, request = ask_score(engine, tmp_path, (folder / "3.txt").read_text())
    AskedScores(engine, layout_of(settings)).go_on(settings, checker)
    checker.strip()
    done = task(engine, number)
    assert done.status is TaskStatus.done
    meaning = meaning_of(engine, request, done.answer)
    [row] = [row for row in sort(settings, Order(folder), print).rows if row.entry.name == "3.png"]
    assert meaning.score == pytest.approx(row.score, abs=1e-4)
    assert meaning.is_over == (meaning.score > 0)
    assert "the cut of v1; on 24 held-out pictures" in meaning.words


def test_what_cannot_be_scored_is_refused_before_the_worker_is_asked(store, tmp_path):
    _, engine = store
    (tmp_path / NAME).write_bytes(b"no picture")
    with pytest.raises(BadRequest, match="no picture that can be read"):
        ask_score(engine, tmp_path, "a red star")
    (tmp_path / NAME).write_bytes(png(""))
    with pytest.raises(BadRequest, match="send its prompt beside it"):
        ask_score(engine, tmp_path, "")
