"""Routes that take and give JSON: what is read, and how our errors are answered."""

import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from store.engine import is_server_gone
from store.errors import BadRequest, InputError, NaysayerError, NotAllowed, NotSignedIn, TooFast
from ui.signin.invitation_link import refuse

log = logging.getLogger(__name__)

MAX_BODY = 1 << 20

Answer = dict[str, Any]
Body = TypeVar("Body", bound=BaseModel)


async def read_body(request: Request, kind: type[Body]) -> Body:
    """The request's body. Raises BadRequest unless it is JSON, short and of that shape."""
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != "application/json":
        raise BadRequest("the body must be JSON, sent with the content type application/json")
    data = await body_of(request)
    with malformed():
        return kind.model_validate_json(data)


async def body_of(request: Request) -> bytes:
    """The request's body. Raises BadRequest when it is too long."""
    data = b""
    async for part in request.stream():
        data += part
        if len(data) > MAX_BODY:
            raise BadRequest(f"the body is longer than {MAX_BODY} bytes; send fewer votes at once")
    return data


@contextmanager
def malformed() -> Iterator[None]:
    """Turns a ValidationError into a BadRequest that names the first wrong field and why."""
    try:
        yield
    except ValidationError as error:
        raise BadRequest(first_fault(error)) from error


def first_fault(error: ValidationError) -> str:
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"]) or "the body"
    return f"{place[:80]}: {first['msg']}"


def in_json(answer: Callable[[Request], Awaitable[Answer]]) -> Callable[[Request], Awaitable[Response]]:
    """An endpoint that answers in JSON, its errors with their sentence."""

    @wraps(answer)
    async def endpoint(request: Request) -> Response:
        return JSONResponse(await answer(request), headers={"cache-control": "no-store"})

    return in_sentences(endpoint)


NO_DATABASE = "the database does not answer just now; your votes are kept and sent again"


def in_sentences(endpoint: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    """The endpoint, with our own errors as JSON with their sentence, any other error as 500 and in the log.

    400: the request will never be accepted. 429, 503: the page keeps its votes and tries again.
    """

    @wraps(endpoint)
    async def answered(request: Request) -> Response:
        try:
            return await endpoint(request)
        except NotSignedIn as error:
            return refuse(str(error))
        except NotAllowed as error:
            return JSONResponse({"error": str(error)}, status_code=403)
        except TooFast as error:
            return JSONResponse({"error": str(error)}, status_code=429, headers={"retry-after": str(error.retry_s)})
        except NaysayerError as error:
            status = 400 if isinstance(error, InputError) else 503
            return JSONResponse({"error": str(error)}, status_code=status)
        except Exception as error:
            if is_server_gone(error):
                log.warning("%s: the database does not answer", request.url.path)
                return JSONResponse({"error": NO_DATABASE}, status_code=503)
            log.exception("%s failed", request.url.path)
            sentence = "something went wrong on the server; its log has the details. Your votes are safe"
            return JSONResponse({"error": sentence}, status_code=500)

    return answered
