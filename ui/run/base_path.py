"""Serves the pages below a path of a host, while every route, limit and check goes on as if they were at its top."""

import re

from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE_AT_TOP = re.compile(r"(;\s*path=)/(?=;|$)", re.IGNORECASE)


class BasePath:
    """Takes `base` off the path of each request, and puts it before the path of each redirect and cookie.

    Streamlit's own redirects and cookies come through here too. A proxy may therefore pass the path on, or take it off
    itself. What is written into pages, `Settings.below` makes.
    """

    def __init__(self, app: ASGIApp, base: str = "") -> None:
        self.app, self.base = app, base

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not self.base or scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        path = scope["path"]
        if path == self.base and scope["type"] == "http":
            query = scope["query_string"].decode("latin-1")
            await RedirectResponse(f"{self.base}/{query and '?'}{query}", 308)(scope, receive, send)
            return
        if path.startswith(f"{self.base}/"):
            path = path.removeprefix(self.base)
        here = {name: value for name, value in scope.items() if name != "raw_path"} | {"path": path}
        await self.app(here, receive, self._sending(send))

    def _sending(self, send: Send) -> Send:
        async def send_below(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.accept"):
                headers = [self._below(name, value) for name, value in message.get("headers", [])]
                message = {**message, "headers": headers}
            await send(message)

        return send_below

    def _below(self, name: bytes, value: bytes) -> tuple[bytes, bytes]:
        text = value.decode("latin-1")
        match name.lower():
            case b"location" if text.startswith("/") and not text.startswith("//"):
                text = self.base + text
            case b"set-cookie":
                text = COOKIE_AT_TOP.sub(rf"\1{self.base}", text)
        return name, text.encode("latin-1")
