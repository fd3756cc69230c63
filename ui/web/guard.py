"""Which requests are answered: those that use one of our host names and come from our own pages."""

from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HOST_CONFIG = "/_stcore/host-config"
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class SameMachine:
    """Refuses requests for other host names and from other sites' pages; forbids framing.

    A site that points its name at our address (DNS rebinding) reaches us under its own host name; a page of another
    site sends its own origin. `hosts` are our names beyond this machine.
    """

    def __init__(self, app: ASGIApp, hosts: frozenset[str] = frozenset(), address: str = "") -> None:
        self.app, self.hosts, self.address = app, LOOPBACK | hosts, _netloc(address)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers, is_socket = Headers(scope=scope), scope["type"] == "websocket"
        objection = object_to_host(headers, self.hosts) or object_to_origin(
            headers, self.address, acts=is_socket or scope["method"] not in ("GET", "HEAD")
        )
        if objection:
            await JSONResponse({"error": objection}, status_code=403)(scope, receive, send)
            return
        if sentence := object_to_page(headers, self.address, scope["path"]):
            await JSONResponse(sentence, status_code=421)(scope, receive, send)  # the page shows that of any but 403
            return
        await self.app(scope, receive, _forbid_framing(send))


def object_to_host(headers: Headers, hosts: frozenset[str] = LOOPBACK) -> str:
    """Why a request under this host name is refused, in a sentence; empty when it is answered.

    >>> object_to_host(Headers({"host": "evil.example:8501"}))
    'evil.example:8501 is not a name of this machine; open the pages at http://127.0.0.1, or add the name to \
NAYSAYER_ALLOWED_HOSTS'
    """
    host = headers.get("host", "")
    if _host_name(f"//{host}") in hosts:
        return ""
    return (
        f"{host[:80]} is not a name of this machine; open the pages at http://127.0.0.1, "
        "or add the name to NAYSAYER_ALLOWED_HOSTS"
    )


def object_to_origin(headers: Headers, address: str = "", *, acts: bool) -> str:
    """Why what another page sends is refused: all that acts, which includes opening a websocket.

    A browser names the sending page in Origin, and in Sec-Fetch-Site how near it is; another port of this machine is
    another page. `address` is ours as people know it, which a proxy may replace in the Host header.
    """
    if not acts:
        return ""
    host, origin = headers.get("host", ""), headers.get("origin")
    is_foreign = origin is not None and _netloc(origin) not in {host, address or host}
    if is_foreign or is_from_elsewhere(headers):
        return "this request came from another site's page; only pages served here may send it"
    return ""


def object_to_page(headers: Headers, address: str, path: str) -> str:
    """Why a page cannot work under the name by which the browser knows it, in a sentence that the page then shows.

    A page asks for HOST_CONFIG when its websocket is refused; its own address is in Referer.
    """
    host, page = headers.get("host", ""), _netloc(headers.get("referer", ""))
    if path != HOST_CONFIG or not page or page in (host, address):
        return ""
    return (
        f"this page is open as {page[:80]}, but its requests arrive for {host[:80]}; let the proxy pass on the Host "
        "header, or set NAYSAYER_PUBLIC_URL (docs/operator/people.md)"
    )


def is_from_elsewhere(headers: Headers) -> bool:
    """Whether the browser says that another site's page, or another port's, made it send this request."""
    return headers.get("sec-fetch-site", "none") not in ("none", "same-origin")


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
