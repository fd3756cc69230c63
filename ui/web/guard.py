"""Who may talk to the pages: a browser that calls them by one of their names, from our own pages."""

from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class SameMachine:
    """Refuses requests for other host names and from other sites' pages; forbids framing.

    A foreign site whose name is pointed at our address (DNS rebinding) would reach the pages, but under its own name;
    a foreign page would send, but with its own origin. Beyond this machine `hosts` are our names as well.
    """

    def __init__(self, app: ASGIApp, hosts: frozenset[str] = frozenset()) -> None:
        self.app, self.hosts = app, LOOPBACK | hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        refusal = refused(Headers(scope=scope), scope.get("method", "GET"), self.hosts)
        if refusal:
            await JSONResponse({"error": refusal}, status_code=403)(scope, receive, send)
            return
        await self.app(scope, receive, _unframed(send))


def refused(headers: Headers, method: str, hosts: frozenset[str] = LOOPBACK) -> str:
    """Why a request is not answered, in a sentence; empty when it is.

    >>> refused(Headers({"host": "evil.example:8501"}), "GET")
    'evil.example:8501 is no name of this machine; open the pages at http://127.0.0.1'
    """
    host, origin = headers.get("host", ""), headers.get("origin")
    if _name(f"//{host}") not in hosts:
        return f"{host[:80]} is no name of this machine; open the pages at http://127.0.0.1"
    if method != "GET" and origin is not None and _place(origin) != host:
        return "this request came from another site's page; only the pages served here may send it"
    return ""


def _name(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def _place(url: str) -> str:
    try:
        return urlsplit(url).netloc
    except ValueError:
        return ""


def _unframed(send: Send) -> Send:
    async def send_with_header(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], (b"x-frame-options", b"SAMEORIGIN")]
        await send(message)

    return send_with_header
