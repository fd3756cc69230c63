"""Which requests are answered."""

import pytest
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from ui.web.guard import HOST_CONFIG, SameMachine, object_to_origin, object_to_page

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


@pytest.mark.parametrize("site", ["same-site", "cross-site", "nonsense"])
def test_a_browser_that_says_another_page_sent_it_is_believed(site):
    assert client_of().post("/", headers={"sec-fetch-site": site}).status_code == 403
    assert client_of().get("/", headers={"sec-fetch-site": site}).status_code == 200
    for own in ("same-origin", "none"):
        assert client_of().post("/", headers={"sec-fetch-site": own}).status_code == 200


@pytest.mark.parametrize(
    ("host", "origin", "is_fine"),
    [
        ("127.0.0.1:8501", "https://rate.example.org", True),
        ("rate.example.org", "https://rate.example.org", True),
        ("127.0.0.1:8501", "https://rate.example.org:9000", False),
        ("127.0.0.1:8501", "https://evil.example", False),
        ("127.0.0.1:8501", "http://127.0.0.1:9000", False),
    ],
)
def test_a_proxy_may_replace_the_host_name_of_our_own_address(host, origin, is_fine):
    said = object_to_origin(Headers({"host": host, "origin": origin}), "rate.example.org", acts=True)
    assert (said == "") is is_fine


def test_a_page_under_a_name_we_do_not_know_reads_what_to_change():
    foreign = Headers({"host": "127.0.0.1:8501", "referer": "https://rate.example.org/overview"})
    assert "NAYSAYER_PUBLIC_URL" in object_to_page(foreign, "", HOST_CONFIG)
    assert object_to_page(foreign, "rate.example.org", HOST_CONFIG) == ""
    assert object_to_page(foreign, "", "/_stcore/health") == ""
    assert object_to_page(Headers({"host": "127.0.0.1:8501"}), "", HOST_CONFIG) == ""
