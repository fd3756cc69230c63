"""The route behind an invitation link: it turns the link into a cookie."""

from collections.abc import Callable

from sqlalchemy import Engine
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from feedback.people.invitations import invited
from store.errors import NaysayerError
from store.settings import Settings
from store.tables import utc_now
from ui.signin.people import COOKIE, Person, email_in, person_of


def entering_routes(engine: Callable[[], Engine], settings: Settings) -> list[Route]:
    """`/naysayer/invited/TOKEN`, where invitations are in use."""

    def enter(token: str) -> Response:
        try:
            row = invited(engine(), token, secret=settings.secret)
        except NaysayerError as error:
            return PlainTextResponse(f"{error}\n", status_code=403)
        answer = RedirectResponse("/", status_code=303, headers={"referrer-policy": "no-referrer"})
        left_s = int((row.expires_at.replace(tzinfo=None) - utc_now().replace(tzinfo=None)).total_seconds())
        is_secure = settings.public_url.startswith("https:")
        answer.set_cookie(COOKIE, token, max_age=left_s, httponly=True, samesite="lax", secure=is_secure)
        return answer

    async def give_entry(request: Request) -> Response:
        """Turns an invitation link into a cookie; only with invitations or accounts."""
        return await run_in_threadpool(enter, request.path_params["token"])

    if settings.sign_in == "name":
        return []
    return [Route("/naysayer/invited/{token}", give_entry, methods=["GET"])]


def person_at(engine: Engine, settings: Settings, request: Request) -> Person:
    """The person who sent a request. Raises NotSignedIn."""
    return person_of(engine, settings, request.cookies, email_in(request.cookies, settings))


def refusal(sentence: str) -> JSONResponse:
    """The answer to somebody who is not signed in; the page keeps its votes and tries again."""
    return JSONResponse({"error": sentence}, status_code=401, headers={"cache-control": "no-store"})
