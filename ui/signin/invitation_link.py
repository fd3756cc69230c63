"""The route behind an invitation link, which turns the link into a cookie."""

from collections.abc import Callable
from urllib.parse import urlsplit

from sqlalchemy import Engine
from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from feedback.people.invitations import read_invitation
from store.errors import NaysayerError
from store.settings import Settings
from store.tables import utc_now
from ui.signin.people import COOKIE, Person, identify, read_email
from ui.web.plain_page import plain_html, plain_response


def invitation_routes(engine: Callable[[], Engine], settings: Settings) -> list[Route]:
    """The route, unless a name is enough to sign in."""

    def enter(token: str, scheme: str) -> Response:
        try:
            row = read_invitation(engine(), token, secret=settings.secret)
        except NaysayerError as error:
            return plain_response(plain_html("signin/sign_in.html", sentence=str(error), path=""), 403)
        answer = RedirectResponse("/", status_code=303, headers={"referrer-policy": "no-referrer"})
        left_s = int((row.expires_at.replace(tzinfo=None) - utc_now().replace(tzinfo=None)).total_seconds())
        is_secure = "https" in (scheme, urlsplit(settings.public_url).scheme)
        answer.set_cookie(COOKIE, token, max_age=left_s, httponly=True, samesite="lax", secure=is_secure)
        return answer

    async def open_invitation(request: Request) -> Response:
        """The rating page, with the invitation as a cookie; 403 when the invitation is not valid."""
        """Turns an invitation link into a cookie; only with invitations or accounts."""
        return await run_in_threadpool(enter, request.path_params["token"], request.url.scheme)

    if settings.sign_in == "name":
        return []
    return [Route("/naysayer/invited/{token}", open_invitation, methods=["GET"])]


def identify_sender(engine: Engine, settings: Settings, request: HTTPConnection) -> Person:
    """The person who sent a request. Raises NotSignedIn."""
    return identify(engine, settings, request.cookies, read_email(request.cookies, settings))


def refuse(sentence: str) -> JSONResponse:
    """The answer to somebody who is not signed in. The rating page keeps its votes and tries again."""
    return JSONResponse({"error": sentence}, status_code=401, headers={"cache-control": "no-store"})
