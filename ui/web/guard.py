"""Which requests are answered: those that use one of our host names and come from our own pages."""

from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class SameMachine:
    """Refuses requests for other host names and from other sites' pages; forbids framing.

    A site that points its name at our address (DNS rebinding) reaches us under its own host name; a page of another
    site sends its own origin. `hosts` are our names beyond this machine.
    """

    def __init__(self, app: ASGIApp, hosts: frozenset[str] = frozenset()) -> None:
        self.app, self.hosts = app, LOOPBACK | hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        objection = object_to(Headers(scope=scope), scope.get("method", "GET"), self.hosts)
        if objection:
            await JSONResponse({"error": objection}, status_code=403)(scope, receive, send)
            return
        await self.app(scope, receive, _forbid_framing(send))


def object_to(headers: Headers, method: str, hosts: frozenset[str] = LOOPBACK) -> str:
    """Why a request is refused, in a sentence; empty when it is answered.

    >>> object_to(Headers({"host": "evil.example:8501"}), "GET")
    'evil.example:8501 is not a name of this machine; open the pages at http://127.0.0.1'
    """
    host, origin = headers.get("host", ""), headers.get("origin")
    if _host_name(f"//{host}") not in hosts:
        return f"{host[:80]} is not a name of this machine; open the pages at http://127.0.0.1"
    if method != "GET" and origin is not None and _netloc(origin) != host:
        return "this request came from another site's page; only pages served here may send it"
    return ""


def _host_name(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def _netloc(url: str) -> str:
    try:
        return urlsplit(url).netloc
    except ValueError:
        return ""


def _forbid_framing(send: Send) -> Send:
    async def send_with_header(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], (b"x-frame-options", b"SAMEORIGIN")]
        await send(message)

    return send_with_header
