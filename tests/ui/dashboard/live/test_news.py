import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from feedback.people.invitations import invite
from feedback.versions import promote
from store.engine import writing
from store.tables import PersonRole, Run, RunStatus
from ui.dashboard.live.news import LEARNT, NEWS, news_of, news_routes, without_versions
from ui.signin.people import COOKIE


def add(engine, status: RunStatus, **values) -> None:
    with writing(engine) as session:
        session.add(Run(status=status, **values))


def test_a_new_version_is_news_with_what_becomes_of_it(engine, publish_version):
    assert news_of(engine) == (0, "none", "")
    publish_version(engine, 1)
    add(engine, RunStatus.done, version=1)
    assert news_of(engine) == (1, "done", "v1 is ready, to be compared with v0.")
    promote(engine, 1, "better")
    assert news_of(engine).sentence == "v1 is ready and draws now."


@pytest.mark.parametrize(
    ("status", "values", "sentence"),
    [
        (RunStatus.failed, {"message": "the disk is full"}, "The retrain failed: the disk is full"),
        (RunStatus.failed, {"stop_reason": "too soon"}, "The retrain was stopped; it made no version."),
        (RunStatus.interrupted, {"message": "stopped at step 3"}, "The retrain was interrupted: stopped at step 3"),
    ],
)
def test_a_retrain_without_a_version_is_news_with_its_reason(engine, status, values, sentence):
    add(engine, status, **values)
    assert news_of(engine).sentence == sentence


def test_a_running_retrain_is_no_news_yet(engine, hold_retrain_lock):
    add(engine, RunStatus.running)
    with hold_retrain_lock(engine):
        assert news_of(engine) == (1, "running", "")


def test_a_rater_hears_of_no_version_and_of_no_failure(engine, settings, publish_version):
    publish_version(engine, 1)
    add(engine, RunStatus.done, version=1)
    asked = settings.model_copy(update={"sign_in": "invitations", "secret": "x" * 32})
    client = TestClient(Starlette(routes=news_routes(lambda: engine, asked)))
    assert client.get(NEWS).status_code == 401
    told = {}
    for role in PersonRole:
        client.cookies.set(COOKIE, invite(engine, role.value, days=1, secret=asked.secret, role=role))
        told[role] = client.get(NEWS).json()["sentence"]
    assert told == {
        PersonRole.rater: LEARNT,
        PersonRole.curator: "v1 is ready, to be compared with v0.",
        PersonRole.admin: "v1 is ready, to be compared with v0.",
    }
    add(engine, RunStatus.failed, message="the disk is full")
    assert without_versions(news_of(engine)).sentence == ""
