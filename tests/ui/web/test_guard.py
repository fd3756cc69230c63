"""Which requests are answered."""

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from ui.web.guard import SameMachine

PUBLIC = "rate.example.org"


def client_of(*hosts: str) -> TestClient:
    def answer(_request):
        return PlainTextResponse("answered")

    app = Starlette(
        routes=[Route("/", answer, methods=["GET", "POST"])],
        middleware=[Middleware(SameMachine, hosts=frozenset(hosts))],
    )
    return TestClient(app, base_url="http://127.0.0.1:8501")


@pytest.mark.parametrize("host", ["localhost:8501", "127.0.0.1", "[::1]:8501"])
def test_every_name_of_this_machine_is_answered(host):
    assert client_of().get("/", headers={"host": host}).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:8501", "", "[::1", "localhost.evil", PUBLIC])
def test_another_host_name_is_refused(host):
    answer = client_of().get("/", headers={"host": host})
    assert answer.status_code == 403
    assert "not a name of this machine" in answer.json()["error"]


def test_our_public_name_is_answered():
    assert client_of(PUBLIC).get("/", headers={"host": PUBLIC}).status_code == 200


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://127.0.0.1:8501", 200),
        ("http://evil.example", 403),
        ("null", 403),
        ("http://127.0.0.1:9999", 403),
        ("http://[", 403),
    ],
)
def test_only_pages_served_here_may_send(origin, status):
    assert client_of().post("/", headers={"origin": origin}).status_code == status
    assert client_of().get("/", headers={"origin": origin}).status_code == 200


def test_no_other_site_may_frame_a_page():
    assert client_of().get("/").headers["x-frame-options"] == "SAMEORIGIN"
