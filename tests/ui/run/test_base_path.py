"""The pages below a path: what goes in, what comes out, and that nothing is written without it."""

import re
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from ui.run.base_path import BasePath
from ui.run.serve import trusted_addresses

UI = Path(__file__).parents[3] / "ui"
MAY_SAY_AN_ADDRESS = {
    "CORE",
    "SIGN_IN",
    "OPEN",
    "OPEN_WITH_ACCOUNTS",
    "PLAIN",
    "IMAGES",
    "ADDRESS",
    "LONG_BODIES",
    "API",
    "NEWS",
}
"""Constants of the routes' own paths, which are never written into a page as they are."""


def client_of(base: str = "/rate") -> TestClient:
    def enter(_request: Request) -> Response:
        answer = RedirectResponse("/pool?page=2", 303)
        answer.set_cookie("mine", "1", httponly=True)
        return answer

    def leave(_request: Request) -> Response:
        return RedirectResponse("https://provider.example/login")

    def say(request: Request) -> Response:
        return PlainTextResponse(request.url.path)

    async def open_socket(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_text(socket.url.path)
        await socket.close()

    routes = [
        Route("/enter", enter),
        Route("/leave", leave),
        WebSocketRoute("/_stcore/stream", open_socket),
        Route("/{path:path}", say),
    ]
    app = Starlette(routes=routes, middleware=[Middleware(BasePath, base=base)])
    return TestClient(app, base_url="https://rate.example.org", follow_redirects=False)


@pytest.mark.parametrize("asked", ["/rate/pool", "/pool"])  # whether the proxy passes the path on, or takes it off
def test_a_route_is_found_with_the_path_and_without(asked):
    assert client_of().get(asked).text == "/pool"


@pytest.mark.parametrize("asked", ["/rates/pool", "/other/rate/pool"])
def test_only_the_whole_path_is_taken_off(asked):
    assert client_of().get(asked).text == asked


def test_a_websocket_is_found_below_the_path():
    with client_of().websocket_connect("/rate/_stcore/stream") as socket:
        assert socket.receive_text() == "/_stcore/stream"


def test_the_path_without_its_slash_leads_to_the_first_page():
    assert client_of().get("/rate?simple=1").headers["location"] == "/rate/?simple=1"
    assert client_of().get("/rate").headers["location"] == "/rate/"


def test_redirects_and_cookies_stay_below_the_path():
    answer = client_of().get("/rate/enter")
    assert answer.headers["location"] == "/rate/pool?page=2"
    assert answer.headers["set-cookie"] == "mine=1; HttpOnly; Path=/rate; SameSite=lax"
    assert client_of().get("/rate/leave").headers["location"] == "https://provider.example/login"


def test_without_a_path_nothing_is_changed():
    answer = client_of("").get("/enter")
    assert answer.headers["location"] == "/pool?page=2"
    assert "Path=/;" in answer.headers["set-cookie"]
    assert client_of("").get("/rate/pool").text == "/rate/pool"


def lines_with(pattern: str, *endings: str) -> list[str]:
    found = []
    for path in sorted(path for ending in endings for path in UI.rglob(f"*{ending}")):
        lines = path.read_text(encoding="utf-8").splitlines()
        found += [f"{path.relative_to(UI)}: {line.strip()}" for line in lines if re.search(pattern, line)]
    return found


def test_no_page_asks_for_an_address_at_the_top_of_the_host():
    assert lines_with(r"[\"'`(=]/(naysayer|media|app|_stcore|static|auth)\b", ".js", ".html", ".css") == []
    assert lines_with(r"(href|src|action)=[\"']?/", ".js", ".html", ".css") == []
    assert lines_with(r"(location|location\.href|\.pathname) = [\"'`]/|location\.(origin|host)", ".js", ".html") == []


def test_an_address_in_python_is_a_route_or_made_by_the_settings():
    may = (
        rf"Route\(|below\(|^[^:]+: ({'|'.join(MAY_SAY_AN_ADDRESS)})\b|SHORT_SCORE = |^[^:]+: (>>>|\"\"\"|.*`/naysayer)"
    )
    addresses = lines_with(r"[\"']/(naysayer|media|app|static|auth)\b", ".py")
    assert [line for line in addresses if not re.search(may, line)] == []


def client_behind(proxies: str, forwarded: str, sender: str) -> str:
    """Whom the server takes for the client."""

    def say(request: Request) -> Response:
        return PlainTextResponse(f"{request.client.host} {request.url.scheme}" if request.client else "")

    app = ProxyHeadersMiddleware(Starlette(routes=[Route("/", say)]), trusted_addresses(proxies))
    headers = {"x-forwarded-for": forwarded, "x-forwarded-proto": "https"}
    return TestClient(app, client=(sender, 50000)).get("/", headers=headers).text


@pytest.mark.parametrize(
    ("proxies", "forwarded", "sender", "client"),
    [
        ("127.0.0.1,::1", "198.51.100.7", "127.0.0.1", "198.51.100.7 https"),
        ("127.0.0.1,::1", "203.0.113.9, 198.51.100.7", "127.0.0.1", "198.51.100.7 https"),  # the first one is forged
        ("127.0.0.1,::1", "127.0.0.1, 198.51.100.7", "127.0.0.1", "198.51.100.7 https"),
        ("127.0.0.1,::1", "203.0.113.9", "198.51.100.7", "198.51.100.7 http"),  # not from a proxy
        ("10.0.0.0/8", "203.0.113.9, 198.51.100.7, 10.0.0.2", "10.0.0.1", "198.51.100.7 https"),
        ("10.0.0.0/8", "198.51.100.7", "::ffff:10.0.0.1", "198.51.100.7 https"),  # as a listener at :: sees it
        ("10.0.0.0/8", "198.51.100.7", "127.0.0.1", "127.0.0.1 http"),
        ("", "198.51.100.7", "127.0.0.1", "127.0.0.1 http"),
    ],
)
def test_the_client_is_the_last_address_that_no_trusted_proxy_has(proxies, forwarded, sender, client):
    assert client_behind(proxies, forwarded, sender) == client
