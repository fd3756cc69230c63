"""The routes of the page Pool: who may, and what they do."""

import json
from io import BytesIO
from zipfile import ZipFile

import pytest
from starlette.testclient import TestClient

from feedback.people.decisions import give_role
from feedback.people.invitations import invite
from feedback.pool.browse.opened import open_image
from store.files import sha256_of
from store.layout import layout_of
from store.settings import Settings
from store.tables import PersonRole, Verdict
from tests.ui.signin.conftest import PUBLIC, SECRET, client_of_routes
from ui.dashboard.pool.routes import pool_routes
from ui.signin.people import COOKIE

ADDRESSES = ("", "/choices", "/decisions", "/data", "/1")
BODIES = {
    "": {"action": "exclude", "reason": "blurred", "images": [1]},
    "/undo": {"first": 1, "last": 1},
    "/control": {"image": 1, "answer": "keep"},
}


def client_of(engine, settings: Settings, **cookies: str) -> TestClient:
    return client_of_routes(pool_routes(lambda: engine, settings), **cookies)


@pytest.fixture
def client(rated, settings) -> TestClient:
    return client_of(rated, settings)


@pytest.fixture
def public(settings) -> Settings:
    return Settings(**(PUBLIC | {"data_dir": settings.data_dir}), _env_file=None)


def send(client: TestClient, path: str = "", **body: object):
    return client.post(f"/naysayer/pool{path}", json=body)


def test_a_decision_is_made_undone_and_told(client, rated):
    done = send(client, action="keep", reason="fine", images=[1, 2]).json()
    assert (done["words"], open_image(rated, 1).ruled) == ("2 pictures overruled: keep", Verdict.keep)
    [told] = client.get("/naysayer/pool/decisions").json()["decisions"]
    assert (told["words"], told["by"], told["reason"]) == ("2 pictures overruled: keep", "this machine", "fine")
    back = send(client, "/undo", first=done["first"], last=done["last"]).json()
    assert (back["words"], open_image(rated, 1).ruled) == ("undone for 2 pictures", None)


def test_all_that_match_are_decided_only_while_they_are_as_many_as_the_page_said(client, rated):
    wrong = send(client, action="exclude", reason="blurred", filter={}, expected=2)
    assert (wrong.status_code, wrong.json()["error"]) == (
        400,
        "3 pictures pass the filter now, 2 did when the page was drawn; nothing was changed, look again",
    )
    assert (
        send(client, action="exclude", reason="blurred", filter={}, expected=3).json()["words"]
        == "3 pictures taken out"
    )
    assert [open_image(rated, image).is_taken_out for image in (1, 2, 3)] == [True] * 3
    assert client.get("/naysayer/pool", params={"which": "taken out"}).json()["total"] == 3


def test_the_zip_holds_what_passes_the_filter_and_no_name(client, settings):
    given = client.get("/naysayer/pool/data", params={"which": "keeps", "sort": "prompt"})
    assert given.headers["content-disposition"] == 'attachment; filename="naysayer-data.zip"'
    with ZipFile(BytesIO(given.content)) as archive:
        assert archive.testzip() is None
        files = {name.removeprefix("naysayer-data/"): archive.read(name) for name in archive.namelist()}
    pictures = {name: content for name, content in files.items() if name.endswith(".png")}
    lines = [json.loads(line) for line in files["train/metadata.jsonl"].splitlines()]
    assert {f"train/{line['file_name']}": line["sha256"] for line in lines} == {
        name: sha256_of(content) for name, content in pictures.items()
    }
    assert [line["label"] for line in lines] == [0, 0, 0]  # the rejects, too
    assert len(files["votes.jsonl"].splitlines()) == 9
    assert {json.loads(line)["rater"][:6] for line in files["votes.jsonl"].splitlines()} == {"rater-"}
    assert b"- rater-" in files["README.md"]
    assert list(layout_of(settings).cache.iterdir()) == []


def test_nothing_to_export_is_a_sentence(client):
    answer = client.get("/naysayer/pool/data", params={"prompt": "zebra"})
    assert (answer.status_code, "nothing to export" in answer.json()["error"]) == (400, True)


def test_a_picture_becomes_a_control(client, rated):
    assert send(client, "/control", image=1, answer="keep").json()["words"] == "picture 1 is now a control"
    assert send(client, "/control", image=1, answer="skip").status_code == 400


def test_what_is_wrong_comes_as_a_sentence(client):
    assert client.get("/naysayer/pool/99").json() == {"error": "there is no picture 99"}
    assert "say why" in send(client, action="exclude", reason=" ", images=[1]).json()["error"]
    assert send(client, action="nonsense", reason="x", images=[1]).status_code == 400
    assert client.post("/naysayer/pool", content="{}", headers={"content-type": "text/plain"}).status_code == 400


@pytest.mark.parametrize(
    ("role", "status"), [(PersonRole.rater, 403), (PersonRole.curator, 200), (PersonRole.admin, 200)]
)
def test_a_rater_gets_and_changes_nothing_and_a_curator_does(rated, public, role, status):
    token = invite(rated, "ann", days=1, secret=SECRET, role=role)
    client = client_of(rated, public, **{COOKIE: token})
    assert {client.get(f"/naysayer/pool{path}").status_code for path in ADDRESSES} == {status}
    assert {send(client, path, **body).status_code for path, body in BODIES.items()} == {status}
    assert open_image(rated, 1).events == [] or status == 200


def test_a_stranger_and_a_curator_who_lost_the_role_get_nothing(rated, public):
    assert client_of(rated, public).get("/naysayer/pool").status_code == 401
    token = invite(rated, "ann", days=1, secret=SECRET, role=PersonRole.curator)
    client = client_of(rated, public, **{COOKIE: token})
    assert client.get("/naysayer/pool").status_code == 200
    give_role(rated, "ann", PersonRole.rater, by="root")
    assert client.get("/naysayer/pool").status_code == 403


def test_the_history_names_the_curator(rated, public):
    client = client_of(rated, public, **{COOKIE: invite(rated, "ann", days=1, secret=SECRET, role=PersonRole.curator)})
    send(client, action="exclude", reason="blurred", images=[1])
    assert [event.by for event in open_image(rated, 1).events] == ["ann"]
