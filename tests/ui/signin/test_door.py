"""With sign-in on, a stranger gets the sign-in page and nothing else: no file, no session, no memory."""

import http.client
import json
import os
import subprocess
import sys
from base64 import b64encode
from contextlib import suppress
from pathlib import Path

import pytest
from sqlmodel import select
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from feedback.people.decisions import give_role
from feedback.people.invitations import invite, revoke_invitations
from store.engine import reading
from store.tables import PersonRole, Rater
from tests.ui.conftest import Served
from tests.ui.signin.conftest import OIDC, SECRET
from tests.waiting import PATIENCE_S
from ui.signin.door import INVITED, OPEN, OPEN_WITH_ACCOUNTS, Door
from ui.signin.people import COOKIE
from ui.web.limits import MAX_BODY_BYTES, MAX_CLIENTS, Pace

EVERY_ROUTE = """
import json
from ui.server import app
app._runtime = app._create_runtime()
print(json.dumps([[route.path, sorted(getattr(route, "methods", None) or ["WEBSOCKET"])]
                  for route in app._build_starlette_app().routes if hasattr(route, "path")]))
"""
SHOWN = ("{session_id}", "{file_id}", "{file_id:path}", "{path:path}", "{name}", "{token}")


def send(served: Served, method: str, path: str, headers: dict[str, str] | None = None, body: bytes = b""):
    """Status, headers and body of a request sent as it is written."""
    connection = http.client.HTTPConnection("127.0.0.1", served.settings.port, timeout=PATIENCE_S)
    try:
        connection.request(method, path, body=body or None, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


def open_socket(served: Served, **headers: str) -> int:
    """The status of a websocket handshake: 101 when it is let in."""
    asked = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": b64encode(os.urandom(16)).decode(),
    }
    return send(served, "GET", "/_stcore/stream", asked | {k.replace("_", "-"): v for k, v in headers.items()})[0]


def resident_mb(served: Served) -> float:
    assert served.process is not None
    pages = int(Path(f"/proc/{served.process.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


@pytest.fixture(scope="module")
def every_route(tmp_path_factory) -> list[tuple[str, list[str]]]:
    """Every route of the page server, Streamlit's own among them."""
    environment = os.environ | {"NAYSAYER_DATA_DIR": str(tmp_path_factory.mktemp("routes"))}
    environment |= {"NAYSAYER_SIGN_IN": "invitations", "NAYSAYER_SECRET": SECRET, "NAYSAYER_PUBLIC_URL": "http://x"}
    command = [sys.executable, "-c", EVERY_ROUTE]
    told = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE_S)
    assert told.returncode == 0, told.stderr
    return [(path, methods) for path, methods in json.loads(told.stdout.splitlines()[-1])]


def test_a_stranger_is_refused_on_every_route(beyond, every_route):
    assert len(every_route) > 15
    for path, methods in every_route:
        for name in SHOWN:
            path = path.replace(name, "x")
        for method in methods:
            if method == "WEBSOCKET":
                assert open_socket(beyond) in (401, 403), path
            elif path not in OPEN and not path.startswith(INVITED):
                assert send(beyond, method, path)[0] in (401, 403), f"{method} {path}"
    odd = ("//", "/%2e%2e/", "/_stcore/stream/", "/robots.txt", "/no/such", "/naysayer/metricsx")
    odd += ("/_stcore/health/../../", "/naysayer/invited/../../index.html")
    for path in ("/", "/rate", "/overview", "/static/index.html", *odd):
        assert send(beyond, "GET", path, {"accept": "text/html"})[0] == 401, path


def test_what_a_stranger_may_ask_for_tells_nothing(beyond, engine, draw):
    draw(2)
    assert send(beyond, "GET", "/_stcore/health")[2] == b"ok"
    assert send(beyond, "GET", "/naysayer/invited/1.00")[0] == 403
    assert send(beyond, "GET", "/naysayer/metrics")[0] == 403
    status, headers, page = send(beyond, "GET", "/", {"accept": "text/html"})
    assert (status, b"Sign in first" in page, b"script" in page) == (401, True, False)
    assert "default-src 'none'" in headers["content-security-policy"]
    with reading(engine) as session:
        assert session.exec(select(Rater)).all() == []


def test_nobody_uploads_and_files_of_versions_are_for_admins(beyond, engine):
    admin = {"cookie": f"{COOKIE}={invite(engine, 'root', days=1, secret=SECRET, role=PersonRole.admin)}"}
    for path in ("/_stcore/upload_file/s/f", "/_stcore/./upload_file/s/f", "/_stcore/%75pload_file/s/f"):
        for method in ("PUT", "POST", "DELETE", "OPTIONS"):
            assert send(beyond, method, path)[0] == 401
            assert send(beyond, method, path, admin | {"origin": beyond.url}, b"x" * 1000)[0] == 403
    for role, status in ((PersonRole.rater, 403), (PersonRole.curator, 403), (PersonRole.admin, 404)):
        cookie = {"cookie": f"{COOKIE}={invite(engine, role.value, days=1, secret=SECRET, role=role)}"}
        assert send(beyond, "GET", "/media/0123.safetensors", cookie)[0] == status


@pytest.mark.slow
def test_a_flood_of_strangers_leaves_the_memory_flat(beyond):
    body = os.urandom(1 << 20)
    flood = [
        lambda: open_socket(beyond),
        lambda: send(beyond, "PUT", "/_stcore/upload_file/s/f", {}, body),
        lambda: send(beyond, "POST", "/naysayer/votes", {"content-type": "application/json"}, body),
        lambda: send(beyond, "GET", "/", {"accept": "text/html", "cookie": f"{COOKIE}=1.00"}),
        lambda: send(beyond, "GET", "/naysayer/invited/" + os.urandom(400).hex()),
    ]

    def pour(times: int) -> None:
        for _ in range(times):
            for request in flood:
                with suppress(OSError, http.client.HTTPException):  # a server may hang up before the body is sent
                    request()

    pour(20)
    before = resident_mb(beyond)
    pour(200)
    assert resident_mb(beyond) - before < 25
    assert send(beyond, "GET", "/_stcore/health")[0] in (200, 429)


ORIGINS = [
    ({}, 101),
    ({"Origin": "same"}, 101),
    ({"Origin": "http://127.0.0.1:9999"}, 403),
    ({"Origin": "http://localhost:9999"}, 403),
    ({"Origin": "null"}, 403),
    ({"Origin": "https://evil.example"}, 403),
    ({"Origin": "same", "Sec_Fetch_Site": "same-site"}, 403),
    ({"Host": "evil.example", "Origin": "http://evil.example"}, 403),
]


def test_a_websocket_comes_from_our_own_pages(serve, settings, engine):
    with serve(settings) as served:
        for headers, status in ORIGINS:
            given = {name: served.url if value == "same" else value for name, value in headers.items()}
            assert open_socket(served, **given) == status, headers


# ---- the door itself ----------------------------------------------------------------------------------------------


async def echo(socket: WebSocket) -> None:
    await socket.accept()
    with suppress(WebSocketDisconnect):
        while True:
            await socket.send_bytes(await socket.receive_bytes())


async def swallow(request: Request) -> PlainTextResponse:
    return PlainTextResponse(str(len(await request.body())))


def behind_the_door(engine, settings, **limits: object) -> TestClient:
    routes = [WebSocketRoute("/_stcore/stream", echo), Route("/body", swallow, methods=["POST"])]
    routes += [Route(path, swallow) for path in (*OPEN, *OPEN_WITH_ACCOUNTS)]
    door = Middleware(Door, engine=lambda: engine, settings=settings)
    return TestClient(Starlette(routes=routes, middleware=[door]), raise_server_exceptions=False)


def test_every_message_of_an_open_page_is_asked_who_sends_it(engine, public):
    token = invite(engine, "ann", days=1, secret=SECRET)
    client = behind_the_door(engine, public)
    with client.websocket_connect("/_stcore/stream", headers={"cookie": f"{COOKIE}={token}"}) as socket:
        socket.send_bytes(b"1")
        assert socket.receive_bytes() == b"1"
        give_role(engine, "ann", PersonRole.admin, by="root")
        socket.send_bytes(b"2")
        assert socket.receive_bytes() == b"2"
        revoke_invitations(engine, "ann")
        socket.send_bytes(b"3")
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_bytes()
    assert (closed.value.code, closed.value.reason) == (1008, "this invitation was revoked; ask for a new one")


def test_a_person_may_open_so_many_pages_and_no_more(engine, public):
    cookie = {"cookie": f"{COOKIE}={invite(engine, 'ann', days=1, secret=SECRET)}"}
    client = behind_the_door(engine, public)
    opened = [client.websocket_connect("/_stcore/stream", headers=cookie) for _ in range(31)]
    for socket in opened[:30]:
        socket.__enter__()
    with pytest.raises(WebSocketDisconnect):
        opened[30].__enter__()
    opened[0].__exit__(None, None, None)
    with client.websocket_connect("/_stcore/stream", headers=cookie) as socket:
        socket.send_bytes(b"1")
        assert socket.receive_bytes() == b"1"
    for socket in opened[1:30]:
        socket.__exit__(None, None, None)


@pytest.mark.parametrize("announced", [True, False])
def test_a_body_has_a_length(engine, settings, announced):
    client = behind_the_door(engine, settings)
    size = MAX_BODY_BYTES + 1
    body = b"x" * size if announced else (b"x" * 65536 for _ in range(size // 65536 + 1))
    refused = client.post("/body", content=body)
    assert (refused.status_code, refused.json()["error"]) == (413, "the body is longer than 2 MiB; send less at once")
    assert client.post("/body", content=b"x" * 1000).text == "1000"
    assert client.post("/body", content=b"", headers={"content-length": "-1"}).status_code == 413


def test_a_stranger_who_asks_too_often_is_told_to_wait(engine, public):
    client = behind_the_door(engine, public)
    answers = [client.get("/overview").status_code for _ in range(260)]
    assert set(answers[:190]) == {401}
    assert 429 in answers[190:]
    token = invite(engine, "ann", days=1, secret=SECRET)
    assert client.post("/body", content=b"x", headers={"cookie": f"{COOKIE}={token}"}).status_code == 200


@pytest.mark.parametrize("path", OPEN_WITH_ACCOUNTS)
def test_the_way_to_the_provider_is_open_only_with_accounts(engine, public, settings, path):
    from store.settings import Settings

    oidc = Settings(**(OIDC | {"data_dir": settings.data_dir}), _env_file=None)
    assert behind_the_door(engine, public).get(path).status_code == 401
    assert behind_the_door(engine, oidc).get(path).status_code == 200


def test_a_pace_forgets_who_was_silent_and_fills_no_memory():
    now = [0.0]
    pace = Pace(1, 3, lambda: now[0])
    assert [pace.allows("a") for _ in range(4)] == [True, True, True, False]
    now[0] = 2.0
    assert [pace.allows("a") for _ in range(3)] == [True, True, False]
    assert not pace.allows("b", cost=4)
    for number in range(2 * MAX_CLIENTS):
        pace.allows(str(number))
    assert len(pace.left) == MAX_CLIENTS
