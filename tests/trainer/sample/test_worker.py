import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import nullcontext
from pathlib import Path

import pytest
from sqlmodel import select

from feedback.check.version_check import How, VersionCheck
from feedback.policy import rejects_needed
from feedback.pool.pool import how_due
from feedback.sample.claims import record_images
from feedback.sample.conditions import load_conditions
from feedback.sample.prompts import add_prompts, list_prompts
from feedback.sample.requests import DrawRequest, Side, ask_drawing, take, task
from feedback.sample.setting_aside import Change, Which, change_prompts
from feedback.versions import get_version, promote
from feedback.workers import list_workers
from store.engine import reading, writing
from store.files import only_one
from store.layout import layout_of
from store.migrate import open_store
from store.settings import Settings
from store.tables import (
    Claim,
    Image,
    Manifest,
    Origin,
    PictureTry,
    Run,
    RunStatus,
    TaskKind,
    TaskStatus,
    Version,
    WorkerState,
)
from tests.trainer.conftest import PICTURES, rate_everything
from tests.waiting import PATIENCE_S, until
from trainer.retrain.retrain import retrain
from trainer.sample.leading.leader import RETRAIN_NICENESS, Retrainer, start_behind_pages
from trainer.sample.worker import draw_and_record, generate, plan, prepare


@pytest.fixture
def engine(rated):
    engine = open_store(rated)
    yield engine
    engine.dispose()


def images(engine, **where) -> list[Image]:
    with reading(engine) as session:
        return list(session.exec(select(Image).filter_by(**where).order_by(Image.id)))


def test_a_filled_queue_needs_no_work(rated, engine):
    generate(rated, once=True)
    assert generate(rated, once=True) == 0


def test_every_picture_keeps_its_png_and_its_latent(rated, engine):
    blobs = layout_of(rated).blobs
    for image in images(engine):
        assert blobs.get(image.sha256).startswith(b"\x89PNG")
        assert blobs.get(image.latent_sha256)


def test_work_that_is_drawn_again_is_recorded_once(rated, engine):
    sampler = prepare(engine, layout_of(rated), rated)
    work = plan(engine, rated, 2)
    assert draw_and_record(engine, layout_of(rated), sampler, work) == 2
    assert draw_and_record(engine, layout_of(rated), sampler, work) == 0


@pytest.mark.slow
def test_after_a_promotion_the_next_pictures_are_the_new_champions(rated, engine):
    retrain(rated)
    generate(rated, once=True)
    old = {image.id for image in images(engine)}
    promote(engine, 1, "test")
    assert images(engine, is_queued=True) == []
    generate(rated.model_copy(update={"base_slice": 0.0, "queue_target": 40}), once=True)
    new = [image for image in images(engine, origin=Origin.sampled) if image.id not in old]
    assert {image.version for image in new} == {1}
    assert {image.rule for image in new} == {"same-prompt"}
    assert get_version(engine, 1).strength == new[0].strength


@pytest.mark.slow
def test_the_same_seed_grid_has_the_same_pairs_for_every_version(rated, engine):
    retrain(rated)
    generate(rated, once=True)
    pairs = [
        {(image.prompt_id, image.seed) for image in images(engine, version=number, origin=Origin.evaluation)}
        for number in (0, 1)
    ]
    assert pairs[0] == pairs[1]
    assert len(pairs[0]) == rated.evaluation_pairs


def test_grid_pictures_are_never_queued_nor_pooled(rated, engine):
    assert not [image for image in images(engine, origin=Origin.evaluation) if image.is_queued]


def test_a_second_worker_draws_beside_the_first_and_leaves_the_rest_to_it(rated, engine):
    more = rated.model_copy(update={"queue_target": PICTURES + 4})
    with only_one(layout_of(rated).root / "worker.lock", "held"):
        asked = ask_drawing(engine, DrawRequest("a red star", [1], [Side(0)]))
        assert take(engine, TaskKind.draw) is not None  # the first worker is at it
        assert generate(more, once=True) > 0
        assert task(engine, asked).status is TaskStatus.running
    generate(more, once=True)  # now it leads, so whoever was at it is dead
    assert task(engine, asked).status is TaskStatus.failed


@pytest.mark.slow
def test_two_workers_at_once_draw_no_picture_twice(tmp_path):
    environment = os.environ | {
        "NAYSAYER_DATA_DIR": str(tmp_path),
        "NAYSAYER_NUM_INFERENCE_STEPS": "2",
        "NAYSAYER_QUEUE_TARGET": "32",
        "NAYSAYER_SAMPLE_BATCH": "4",
        "NAYSAYER_EVALUATION_PAIRS": "8",
        "NAYSAYER_BASE_SLICE": "0.5",
        "OMP_NUM_THREADS": "1",
    }
    command = [sys.executable, "-m", "trainer.commands", "generate", "--once"]
    workers = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    told = [worker.communicate(timeout=300) for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0], told
    drawn = [sum(map(int, re.findall(r"drew (\d+) pictures? with v0", log))) for _, log in told]
    recorded = [int(re.search(r"drew (\d+) pictures?", said)[1]) for said, _ in told]
    engine = open_store(Settings(data_dir=tmp_path, _env_file=None))
    there = images(engine)
    with reading(engine) as session:
        assert list(session.exec(select(Claim))) == []
    engine.dispose()
    assert drawn == recorded
    assert min(drawn) > 0
    assert sum(drawn) == len(there) == 32 + 8


def test_what_a_worker_does_is_told_while_it_draws_and_it_signs_off(rated, engine, monkeypatch):
    more = rated.model_copy(update={"queue_target": PICTURES + 2})
    monkeypatch.setattr("feedback.heartbeat.BEAT_S", 0.01)
    told: list[tuple[WorkerState, int]] = []
    draw = threading.Thread(target=generate, args=(more,), kwargs={"once": True})  # signals are not caught in a thread
    monkeypatch.setattr("trainer.sample.worker.catch_stop_signals", lambda: nullcontext(threading.Event()))
    draw.start()
    while draw.is_alive():
        told += [(worker.row.state, worker.row.pictures) for worker in list_workers(engine)]
        time.sleep(0.005)
    draw.join()
    assert told[0] == (WorkerState.starting, 0)
    assert (WorkerState.drawing, 2) in told
    assert list_workers(engine) == []


def test_a_failed_retrain_is_not_tried_again_until_new_rejects_come(rated, engine):
    retrainer = Retrainer(engine, rated.model_copy(update={"auto_retrain": True}), command=["false"])
    started = []
    for _ in range(2):
        retrainer.start_if_due()
        assert retrainer.process.wait() == 1
        started.append(retrainer.process)
    assert started[0] is started[1]
    generate(rated, once=True)
    assert rate_everything(engine, rated) > 0
    retrainer.start_if_due()
    assert retrainer.process.wait() == 1
    assert retrainer.process is not started[0]


def test_a_new_worker_goes_on_once_with_an_interrupted_retrain(rated, engine):
    few = rated.model_copy(update={"auto_retrain": True, "retrain_after": 10_000})
    with writing(engine) as session:
        session.add(Manifest(id="m", body="{}"))
        session.flush()
        session.add(Run(status=RunStatus.interrupted, manifest_id="m"))
    retrainer = Retrainer(engine, few, command=["true"])
    retrainer.start_if_due()
    assert retrainer.process.wait() == 0
    first = retrainer.process
    retrainer.start_if_due()
    assert retrainer.process is first
    with writing(engine) as session:
        session.add(Run(status=RunStatus.failed))
    other = Retrainer(engine, few, command=["true"])
    other.start_if_due()
    assert other.process is None


def test_one_that_was_interrupted_before_it_began_is_told_and_waits_until_a_retrain_is_due(rated, engine, caplog):
    caplog.set_level("INFO", "naysayer.worker")
    automatic = rated.model_copy(update={"auto_retrain": True})
    with writing(engine) as session:
        session.add(Run(status=RunStatus.interrupted, message="killed"))
    early = Retrainer(engine, automatic.model_copy(update={"retrain_after": 10_000}), command=["true"])
    early.start_if_due()
    assert early.process is None
    assert "the last retrain was interrupted: killed" in caplog.text
    due = Retrainer(engine, automatic, command=["true"])
    due.start_if_due()
    assert due.process is not None and due.process.wait() == 0


def test_a_retrain_leaves_a_core_to_the_pages(capfd):
    told = start_behind_pages(["sh", "-c", "nice; echo $OMP_NUM_THREADS"], {"PATH": os.environ["PATH"]})
    assert told.wait() == 0
    niceness, threads = capfd.readouterr().out.split()
    assert (int(niceness), int(threads)) == (RETRAIN_NICENESS, max(1, (os.cpu_count() or 1) - 1))
    own = {"PATH": os.environ["PATH"], "OMP_NUM_THREADS": "7"}
    assert start_behind_pages(["sh", "-c", "test $OMP_NUM_THREADS = 7"], own).wait() == 0


@pytest.mark.skipif(not Path("/proc/self/autogroup").exists(), reason="no sched_autogroup in this kernel")
def test_a_retrain_is_a_session_of_low_priority():
    retrain = start_behind_pages(["sleep", "60"])
    group = Path(f"/proc/{retrain.pid}/autogroup").read_text()
    retrain.kill()
    retrain.wait()
    assert group.endswith(f"nice {RETRAIN_NICENESS}\n")
    assert group.split()[0] not in Path("/proc/self/autogroup").read_text()  # empty for a process in a control group


def test_without_auto_retrain_the_worker_never_starts_one(rated, engine):
    retrainer = Retrainer(engine, rated)
    retrainer.start_if_due()
    assert how_due(engine, rejects_needed(rated)).is_due
    assert retrainer.process is None


@pytest.mark.slow
def test_sigterm_stops_the_worker_cleanly_after_its_batch(tmp_path):
    environment = os.environ | {
        "NAYSAYER_DATA_DIR": str(tmp_path),
        "NAYSAYER_NUM_INFERENCE_STEPS": "2",
        "NAYSAYER_QUEUE_TARGET": "4",
    }
    worker = subprocess.Popen([sys.executable, "-m", "trainer.commands", "generate"], env=environment)
    until(lambda: list(tmp_path.glob("blobs/*/*")), "the first picture")
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(PATIENCE_S) == 0


def test_a_picture_is_named_by_all_that_decides_it(rated, engine):
    from dataclasses import replace

    sampler = prepare(engine, layout_of(rated), rated)
    work = plan(engine, rated, 1)[0]
    drawing = sampler.drawing_of(get_version(engine, 0))
    assert record_images(engine, [(work, "0" * 64, "1" * 64)], drawing) == 1
    for change in ({"guidance_scale": 9.0}, {"num_inference_steps": 9}, {"negative_prompt": "ugly"}, {"strength": 9.0}):
        assert record_images(engine, [(work, "0" * 64, "1" * 64)], replace(drawing, **change)) == 1
    assert record_images(engine, [(replace(work, seed=work.seed + 1), "0" * 64, "1" * 64)], drawing) == 1


def test_what_the_model_does_not_read_of_a_prompt_is_known_before_it_is_drawn(rated, engine, caplog):
    long = "a red star above a blue hand, " * 14
    change_prompts(engine, Which(source="built-in"), Change.pause)
    add_prompts(engine, [long])
    cutting = rated.model_copy(update={"prompt_weighting": "off"})
    sampler = prepare(engine, layout_of(rated), cutting)
    assert "the model does not read 1 prompt to its end (it stops before 'above'" in caplog.text
    add_prompts(engine, ["another, " + long])  # while the worker runs
    work = plan(engine, rated.model_copy(update={"queue_target": 10_000}), 8)
    draw_and_record(engine, layout_of(rated), sampler, work)
    read = {row.text: row.read_characters for row in list_prompts(engine) if row.is_active}
    assert set(read) == {one.prompt for one in work} == {long, "another, " + long}
    assert all(0 < characters < len(text) for text, characters in read.items())
    prepare(engine, layout_of(rated), rated)  # reads them to their end, and takes the counts back
    assert {row.read_characters for row in list_prompts(engine) if row.is_active} == {None}


@pytest.mark.slow
def test_pictures_to_rate_are_scored_and_pairs_drawn_again_where_the_version_has_a_check(rated, engine):
    retrain(rated)
    check = VersionCheck(How((800,), 2, 4), off="", cut=-9.0).as_json()  # takes everything for a reject
    with writing(engine) as session:
        session.get_one(Version, 1).check = check
    promote(engine, 1, "test")
    generate(rated.model_copy(update={"base_slice": 0.5, "queue_target": 12}), once=True)
    with reading(engine) as session:
        tries = Counter(session.exec(select(PictureTry.image_id)))
        known = load_conditions(session)
    drawn = {(one.version, one.origin, tries[one.id], known[one.conditions_id].tries) for one in images(engine)}
    assert drawn == {
        (0, Origin.sampled, 0, None),
        (0, Origin.evaluation, 0, None),
        (1, Origin.sampled, 1, 1),
        (1, Origin.evaluation, 2, 2),
    }
