from dataclasses import asdict
from datetime import timedelta
from math import inf

import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette
from starlette.testclient import TestClient

from feedback.figures.summary import standing
from feedback.pool.pool import how_due
from feedback.rate.queue import next_images
from feedback.rate.terms import Terms
from feedback.rate.votes import Press, record_votes
from feedback.retrain.progress import last_stages
from feedback.retrain.stages import FIT, Phase, Stage
from store.engine import writing
from store.tables import Run, RunProgress, RunStatus, Verdict, Worker, WorkerState, utc_now
from ui.web.metrics import metrics_routes, metrics_text, registry_of
from ui.words import standing_lines


def vote_twice(engine) -> None:
    images = next_images(engine, "ada", Terms(1, 60), count=2)
    presses = [Press(f"request {image.image_id}", image.image_id, Verdict.reject) for image in images]
    record_votes(engine, "ada", presses, Terms(1, 60))


def test_the_metrics_are_true_and_name_nobody(engine, settings, draw) -> None:
    draw(4)
    vote_twice(engine)
    registry = registry_of(engine, settings)
    told = {name: registry.get_sample_value(f"naysayer_{name}") for name in ("votes", "pool_rejects", "images_waiting")}
    assert told == {"votes": 2, "pool_rejects": 2, "images_waiting": 2}
    assert registry.get_sample_value("naysayer_version_rejected", {"version": "0"}) == 2
    assert "ada" not in metrics_text(engine, settings)


def test_each_metric_has_one_type_and_one_help(engine, settings, draw) -> None:
    draw(1)
    families = list(text_string_to_metric_families(metrics_text(engine, settings)))
    assert len({family.name for family in families}) == len(families) > 10
    for family in families:
        assert family.name.startswith("naysayer_")
        assert family.type == "gauge"
        assert family.documentation.endswith(".")
        assert family.samples


def test_a_running_retrain_tells_its_progress_and_a_dead_one_is_none(engine, settings, draw, hold_retrain_lock) -> None:
    draw(1)
    with writing(engine) as session:
        session.add(Run(status=RunStatus.running, step=30, steps=120))
    registry = registry_of(engine, settings)
    with hold_retrain_lock(engine):
        assert registry.get_sample_value("naysayer_retrain_running") == 1
        assert registry.get_sample_value("naysayer_retrain_progress_ratio") == 0.25
    assert registry.get_sample_value("naysayer_retrain_running") == 0
    assert registry.get_sample_value("naysayer_retrain_progress_ratio") == 0


def test_the_seconds_of_each_phase_of_the_last_retrain_are_told(engine, settings) -> None:
    with writing(engine) as session:
        run = Run(status=RunStatus.done)
        session.add(run)
        session.flush()
        assert run.id is not None
        stage = asdict(Stage("fitting", Phase.fit, FIT, 10, 10, 30.0, is_over=True))
        session.add(RunProgress(run_id=run.id, stages=[stage], curve=[], strengths=[]))
    registry = registry_of(engine, settings)
    assert registry.get_sample_value("naysayer_retrain_phase_seconds", {"phase": "fit"}) == 30
    assert registry.get_sample_value("naysayer_retrain_phase_seconds", {"phase": "load"}) == 0
    told = standing_lines(standing(engine), how_due(engine, 1), None, last_stages(engine))
    assert "the last retrain took 30 s: fit the whole pool 30 s" in told


@pytest.mark.parametrize(
    ("accept", "kind"), [("text/plain", "text/plain"), ("application/openmetrics-text", "application/openmetrics-text")]
)
def test_the_answer_is_in_the_format_that_was_asked_for(accept, kind, engine, settings) -> None:
    client = TestClient(Starlette(routes=metrics_routes(lambda: engine, settings)), client=("127.0.0.1", 1))
    answer = client.get("/naysayer/metrics", headers={"accept": accept})
    assert answer.headers["content-type"].startswith(f"{kind}; version=")


@pytest.mark.parametrize(
    ("address", "is_open", "status"),
    [
        ("127.0.0.1", False, 200),
        ("::1", False, 200),
        ("10.0.0.7", False, 403),
        ("10.0.0.7", True, 200),
        ("x", False, 403),
    ],
)
def test_the_metrics_are_for_this_machine_unless_opened(address, is_open, status, engine, settings, draw) -> None:
    draw(1)
    opened = settings.model_copy(update={"metrics_open": is_open})
    client = TestClient(Starlette(routes=metrics_routes(lambda: engine, opened)), client=(address, 1))
    answer = client.get("/naysayer/metrics")
    assert answer.status_code == status
    assert ("naysayer_votes" in answer.text) == (status == 200)


@pytest.mark.parametrize(
    "header", ["x-forwarded-for", "forwarded", "x-real-ip", "via", "x-forwarded-proto", "x-forwarded-host"]
)
def test_a_proxy_of_this_machine_gets_no_metrics_for_others(header, engine, settings, draw) -> None:
    draw(1)
    client = TestClient(Starlette(routes=metrics_routes(lambda: engine, settings)), client=("127.0.0.1", 1))
    assert client.get("/naysayer/metrics", headers={header: "203.0.113.9"}).status_code == 403
    assert client.get("/naysayer/metrics", headers={"sec-fetch-site": "cross-site"}).status_code == 403


def test_behind_sign_in_the_metrics_are_closed_to_everybody_unless_opened(engine, settings, draw) -> None:
    """A proxy of this machine that adds no header looks like a program of this machine."""
    draw(1)
    for is_open, status in ((False, 403), (True, 200)):
        public = settings.model_copy(update={"sign_in": "invitations", "metrics_open": is_open})
        client = TestClient(Starlette(routes=metrics_routes(lambda: engine, public)), client=("127.0.0.1", 1))
        assert client.get("/naysayer/metrics").status_code == status


def test_each_worker_that_is_there_tells_its_pace(engine, settings, draw) -> None:
    draw(1)
    with writing(engine) as session:
        row = {"host": "lab-3", "device": "H100", "state": WorkerState.drawing}
        session.add(Worker(name="a", per_minute=34.0, drawn=68, **row))
        session.add(Worker(name="b", seen_at=utc_now() - timedelta(minutes=5), **row))
    registry, who = registry_of(engine, settings), {"host": "lab-3", "device": "H100", "worker": "a"}
    assert registry.get_sample_value("naysayer_workers") == 1
    assert registry.get_sample_value("naysayer_worker_pictures_per_minute", who) == 34
    assert registry.get_sample_value("naysayer_worker_pictures", who) == 68
    silent = [registry.get_sample_value("naysayer_worker_silent_seconds", who | {"worker": name}) for name in "ab"]
    assert silent == [pytest.approx(0, abs=60), pytest.approx(300, abs=60)]


def test_the_metrics_tell_how_fast_the_queue_empties(engine, settings, draw) -> None:
    draw(4)
    registry = registry_of(engine, settings)
    assert registry.get_sample_value("naysayer_rated_per_minute") == 0
    assert registry.get_sample_value("naysayer_queue_lasts_seconds") == inf
    vote_twice(engine)
    assert registry.get_sample_value("naysayer_rated_per_minute") == 2
    assert registry.get_sample_value("naysayer_queue_lasts_seconds") == 60
