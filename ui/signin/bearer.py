"""Programs sign in with a token in the header `Authorization: Bearer TOKEN`, only at the API's addresses.

No cookie counts there, so no page of another site can make a browser act.
"""

from sqlalchemy import Engine
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse

from feedback.people.tokens import read_token
from store.errors import NotSignedIn
from ui.signin.people import Person

API = "/naysayer/api/"
SCORE = "/score"
SHORT_SCORE = f"/naysayer{SCORE}"
"""Another address of what lies at SCORE in the newest version of the API, for programs of which people type it in."""
HEADER = "authorization"


def is_api(path: str) -> bool:
    """Whether programs with a token are served at an address."""
    return path.startswith(API) or path == SHORT_SCORE


def takes_picture(path: str) -> bool:
    """Whether a picture comes in at an address, which may be longer than other bodies."""
    return is_api(path) and path.endswith(SCORE)


def identify_bearer(engine: Engine, request: HTTPConnection) -> Person:
    """Whoever's token came with the request. Raises NotSignedIn."""
    kind, _, token = request.headers.get(HEADER, "").partition(" ")
    if kind.lower() != "bearer" or not token.strip():
        raise NotSignedIn(
            "send a token in the header Authorization: Bearer TOKEN; an admin makes one with `naysayer token make NAME`"
        )
    return Person(*read_token(engine, token.strip()))


def refuse_bearer(sentence: str) -> JSONResponse:
    """The answer to a program without a good token."""
    headers = {"cache-control": "no-store", "www-authenticate": "Bearer"}
    return JSONResponse({"error": sentence}, status_code=401, headers=headers)
