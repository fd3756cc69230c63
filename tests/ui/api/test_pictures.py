"""Pictures of other programs through the API, one file a request."""

import json
import os
import subprocess
import sys

import pytest

from feedback.metadata.files.opened import MAX_BYTES
from store.layout import layout_of
from tests.feedback.exchange.pictures.brought import imported, png
from tests.feedback.metadata import made
from ui.api.operation import V1
from ui.web.limits import MAX_BODY_BYTES


@pytest.fixture
def admin(as_role, draw):
    """A program with an admin's token, and a store that has drawn a picture of 64×64."""
    draw(1)
    return as_role("admin", "farm")


def send_file(client, data: bytes, name: str = "a.png", kind: str = "image/png", **params: object):
    return client.post(f"{V1}/import/pictures/{name}", content=data, params=params, headers={"content-type": kind})


def left(settings) -> list[str]:
    cache = layout_of(settings).cache
    return [path.name for path in cache.iterdir()] if cache.exists() else []


def test_a_picture_comes_in_once_and_is_said_as_by_the_command(admin, engine, settings, tmp_path):
    data = png("a fox", 2**64 - 1, size=(1200, 1200))
    (tmp_path / "a.png").write_bytes(data)
    assert len(data) > MAX_BODY_BYTES
    command = [sys.executable, "-m", "trainer.commands", "import", "pictures", str(tmp_path), "--dry-run", "--json"]
    environment = os.environ | {"NAYSAYER_DATA_DIR": str(settings.data_dir)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    looked = send_file(admin, data, dry_run=True).json()
    assert looked == json.loads(done.stdout) | {"picture": None}
    assert (looked["outcome"], looked["seed"], imported(engine)) == ("rated only", 2**64 - 1, [])
    sent = send_file(admin, data).json()
    [image] = imported(engine)
    assert sent == looked | {"picture": image.id}
    assert layout_of(settings).blobs.get(image.sha256) == data
    again = send_file(admin, data, name="b.png").json()
    assert (again["outcome"], again["picture"], len(imported(engine))) == ("here already", image.id, 1)
    assert left(settings) == []


def test_a_form_brings_the_same_picture_as_a_body(admin, engine, settings):
    data = png("a fox", size=(1200, 1200))
    address = f"{V1}/import/pictures/a.png"
    sent = admin.post(address, files={"picture": ("b.png", data)}, params={"seed": 7})
    assert (sent.status_code, sent.json()["file"], sent.json()["seed"]) == (200, "a.png", 42)
    assert layout_of(settings).blobs.get(imported(engine)[0].sha256) == data
    assert send_file(admin, data).json()["outcome"] == "here already"
    for form, why in (
        ({"files": {"file": ("a.png", data)}}, "a form has the fields picture; leave others out"),
        ({"files": {"picture": ("a.png", data), "more": ("b.png", data)}}, "the form cannot be read: Too many files"),
        ({"files": {"picture": ("a.png", data)}, "data": {"prompt": "x"}}, "the form cannot be read: Too many fields"),
    ):
        answer = admin.post(address, **form)
        assert (answer.status_code, why in answer.json()["error"]) == (400, True), answer.json()
    assert admin.post(address, files={"picture": ("a.png", bytes(MAX_BYTES + 1))}).status_code == 413
    assert (len(imported(engine)), left(settings)) == (1, [])


def test_what_the_file_does_not_say_comes_with_the_request(admin, engine):
    bare = made.png(size=(64, 64))
    assert send_file(admin, bare).json()["outcome"] == "refused"
    answer = send_file(admin, bare, prompt="an owl", seed=7, model="builtin").json()
    assert (answer["outcome"], answer["prompt"], answer["seed"]) == ("new", "an owl", 7)
    assert len(imported(engine)) == 1


@pytest.mark.parametrize(
    ("data", "status"), [(b"", "broken"), (b"<html>", "broken"), (made.png()[:300], "broken"), (made.png(), "empty")]
)
def test_what_cannot_be_used_is_said_and_leaves_nothing(admin, engine, settings, data, status):
    answer = send_file(admin, data)
    assert (answer.status_code, answer.json()["status"], answer.json()["outcome"]) == (200, status, "refused")
    assert answer.json()["why"]
    assert (imported(engine), left(settings)) == ([], [])


def test_a_file_beyond_the_limit_is_refused_announced_or_not(admin, settings):
    def endless():
        for _ in range(MAX_BYTES // (1 << 20) + 2):
            yield bytes(1 << 20)

    assert send_file(admin, bytes(MAX_BYTES + 1)).status_code == 413
    assert send_file(admin, endless()).status_code == 413
    assert left(settings) == []


@pytest.mark.parametrize(
    ("name", "kind", "status"),
    [
        ("a.png", "application/json", 415),
        ("a.png", "multipart/form-data", 400),
        ("a.gif", "image/png", 400),
        (".png", "image/png", 400),
        ("a%00.png", "image/png", 400),
        ("..%2Fa.png", "image/png", 404),
        ("é" * 150 + ".png", "image/png", 409),
        ("a.swarmpreview.jpg", "image/jpeg", 409),
    ],
)
def test_a_name_or_kind_that_cannot_be_is_refused(admin, settings, name, kind, status):
    answer = send_file(admin, png("a fox"), name, kind)
    assert (answer.status_code, list(answer.json())) == (status, ["error"])
    assert left(settings) == []


def test_only_an_admins_file_may_be_long(as_role):
    for role in ("rater", "curator"):
        assert send_file(as_role(role), bytes(MAX_BODY_BYTES + 1)).status_code == 413


def test_a_store_without_a_base_model_says_so(as_role, engine):
    answer = send_file(as_role("admin"), png("a fox"))
    assert answer.status_code == 409
    assert "start `naysayer run`, wait until it draws" in answer.json()["error"]
