"""The door: what reaches the pages, and who. It stands before Streamlit, which knows no caller and no limit.

With sign-in on, a stranger gets the sign-in page and nothing else: no file, no session, no memory. Every message of an
open page is asked again who sends it.
"""

import logging
from collections.abc import Callable

from sqlalchemy import Engine
from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from store.errors import NaysayerError, NotSignedIn
from store.settings import Settings
from store.tables import PersonRole
from ui.signin.bearer import HEADER, identify_bearer, is_api, refuse_bearer, takes_picture
from ui.signin.invitation_link import identify_sender, refuse
from ui.signin.people import LOCAL, Person
from ui.web.limits import MAX_BODY_BYTES, MAX_PICTURE_BYTES, OpenPages, Pace, TooLong, is_too_long, limit_body
from ui.web.plain_page import plain_html, plain_response
from ui.web.receiving import longest_body

SIGN_IN = "/naysayer/sign-in"
log = logging.getLogger(__name__)

OPEN, INVITED = ("/_stcore/health", "/naysayer/metrics"), "/naysayer/invited/"
OPEN_WITH_ACCOUNTS = (SIGN_IN, "/auth/login", "/oauth2callback")
"""What a stranger may ask for; the metrics and the invitations have their own checks."""
CORE, MEDIA, STREAM = "/_stcore/", "/media/", "/_stcore/stream"
USED = tuple(CORE + name for name in ("health", "host-config", "stream", "bidi-components/", "allowed-message-origins"))
"""Streamlit's own addresses that a page needs. The others, uploads among them, are closed to everybody."""
STRANGERS, MEMBERS = (5, 200), (100, 5000)
PAGES_EACH, PAGES_TOGETHER, PAGE_COST = 30, 500, 50
"""Open pages of one person and of all; opening one costs as much as so many requests."""


class Door:
    """Asks who sends a request or a message, and how often, before Streamlit sees it."""

    def __init__(self, app: ASGIApp, engine: Callable[[], Engine], settings: Settings) -> None:
        self.app, self.engine, self.settings = app, engine, settings
        self.strangers, self.members = Pace(*STRANGERS), Pace(*MEMBERS)
        self.pages = OpenPages(PAGES_TOGETHER if self.is_local else PAGES_EACH, PAGES_TOGETHER)

    @property
    def is_local(self) -> bool:
        """Whether a name is enough: then only this machine reaches the pages, and may do everything."""
        return self.settings.sign_in == "name"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        request = HTTPConnection(scope)
        try:
            person = await run_in_threadpool(self._identify, request)
        except NaysayerError as error:
            await self._answer_stranger(request, error)(scope, receive, send)
            return
        if refusal := self._refuse(request, person):
            await refusal(scope, receive, send)
        elif scope["type"] == "http":
            await self._pass_request(scope, receive, send, _longest(request, person))
        else:
            with self.pages.one_more(_client(request, person)):
                await self._pass_messages(request, receive, send)

    def _identify(self, request: HTTPConnection) -> Person | None:
        """Who asks; None for what everybody may ask for. Raises NotSignedIn."""
        if self.is_local:
            return LOCAL
        path = request.url.path
        is_open = path in OPEN or (path.startswith(INVITED) and path.count("/") == INVITED.count("/"))
        is_open = is_open or (self.settings.sign_in == "oidc" and path in OPEN_WITH_ACCOUNTS)
        if request.scope["type"] == "http" and is_open:
            return None
        if is_api(path) and HEADER in request.headers:
            return identify_bearer(self.engine(), request)
        return identify_sender(self.engine(), self.settings, request)

    def _answer_stranger(self, request: HTTPConnection, error: NaysayerError) -> Response:
        if not self.strangers.allows(_client(request, None)):
            return _refuse_with("too many requests from this address; wait a minute", 429)
        if is_api(request.url.path) and isinstance(error, NotSignedIn):
            return refuse_bearer(str(error))
        if request.url.path.startswith(CORE):  # an open page shows the text of this answer
            return JSONResponse(str(error), 401)
        if "text/html" not in request.headers.get("accept", "") or not isinstance(error, NotSignedIn):
            return refuse(str(error))
        has_accounts = self.settings.sign_in == "oidc"
        html = plain_html(
            "signin/sign_in.html", sentence=str(error), path=self.settings.below(SIGN_IN) if has_accounts else ""
        )
        return plain_response(html, 401)

    def _refuse(self, request: HTTPConnection, person: Person | None) -> Response | None:
        path, client = request.url.path, _client(request, person)
        if path.startswith(CORE) and not path.startswith(USED):
            return _refuse_with("this address is closed: no page needs it", 403)
        if path == STREAM and request.scope["type"] == "http":
            sentence = "a websocket arrived as a plain request; let the proxy pass on Upgrade (docs/operator/people.md)"
            log.warning("%s", sentence)
            return _refuse_with(sentence, 426)
        if path.startswith(MEDIA) and (person is None or person.role is not PersonRole.admin):
            return _refuse_with("files of versions are for admins", 403)
        if is_too_long(request.scope, most := _longest(request, person)):
            return _too_long(most)
        is_page = request.scope["type"] == "websocket"
        pace = self.strangers if person is None else self.members
        if not self.is_local and not pace.allows(client, PAGE_COST if is_page else 1):
            return _refuse_with("too many requests; wait a minute", 429)
        if is_page and not self.pages.has_room(client):
            return _refuse_with("too many open pages; close some", 429)
        return None

    async def _pass_request(self, scope: Scope, receive: Receive, send: Send, most: int) -> None:
        is_begun = False

        async def send_and_note(message: Message) -> None:
            nonlocal is_begun
            is_begun = True
            await send(message)

        try:
            await self.app(scope, limit_body(receive, most), send_and_note)
        except TooLong:
            if not is_begun:
                await _too_long(most)(scope, receive, send)

    async def _pass_messages(self, request: HTTPConnection, receive: Receive, send: Send) -> None:
        """Hands on the messages of an open page for as long as its viewer may be here."""
        is_closed = False

        async def receive_if_known() -> Message:
            nonlocal is_closed
            message = await receive()
            if message["type"] == "websocket.receive":
                try:
                    await run_in_threadpool(self._identify, request)
                except NaysayerError as error:
                    is_closed = True
                    await send({"type": "websocket.close", "code": 1008, "reason": str(error)[:120]})
                    return {"type": "websocket.disconnect", "code": 1008}
            return message

        async def send_while_open(message: Message) -> None:
            if not is_closed:
                await send(message)

        await self.app(request.scope, receive_if_known, send_while_open)


def _longest(request: HTTPConnection, person: Person | None) -> int:
    """How long a body may be; a form has a little more than its picture."""
    if takes_picture(path := request.url.path):
        return MAX_PICTURE_BYTES + (1 << 16)
    is_admin = person is not None and person.role is PersonRole.admin
    return longest_body(path, MAX_BODY_BYTES, is_admin=is_admin)


def _client(request: HTTPConnection, person: Person | None) -> str:
    """The name of whoever is signed in, else the address."""
    if person is not None and person.name:
        return f"name {person.name}"
    return f"address {request.client.host if request.client else ''}"


def _too_long(most: int) -> Response:
    return _refuse_with(f"the body is longer than {most >> 20} MiB; send less at once", 413)


def _refuse_with(sentence: str, status: int) -> Response:
    return JSONResponse({"error": sentence}, status_code=status, headers={"cache-control": "no-store"})
