"""The API's routes, made from the table of its operations, and its description."""

import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from anyio import to_thread
from pydantic import BaseModel
from sqlalchemy import Engine
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, compile_path

from feedback.metadata.files.opened import MAX_BYTES
from store.archive.work import work_folder
from store.errors import BadRequest, NotSignedIn, UnknownVersion
from store.files import make_folder
from store.layout import layout_of
from store.settings import Settings
from store.settings.live import as_changed
from ui.api.description import describe
from ui.api.forms import MULTIPART, read_form
from ui.api.operation import Asked, Operation, Refused
from ui.api.pictures import PICTURES
from ui.api.pool import DATA
from ui.api.rating import RATING
from ui.api.score import SCORES, Sent, receive
from ui.api.versions import VERSIONS
from ui.rate.routes import wait_for_tick
from ui.signin.bearer import API, SHORT_SCORE, identify_bearer, refuse_bearer
from ui.signin.json_routes import MAX_BODY, body_of, in_sentences, malformed
from ui.signin.powers import permit
from ui.web.limits import TooLong
from ui.web.receiving import READERS, keep_pieces, receive_file, require_room

OPERATIONS = (*RATING, *SCORES, *DATA, *PICTURES, *VERSIONS)
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
NOT_KEPT = {"cache-control": "no-store"}


def api_routes(engine: Callable[[], Engine], settings: Settings) -> list[Route]:
    """The routes under `/naysayer/api/`. Each asks whose token it is, and what that allows at this moment."""

    def route(operation: Operation, address: str) -> Route:
        async def endpoint(request: Request) -> Response:
            person = await run_in_threadpool(lambda: identify_bearer(engine(), request))
            permit(operation.page, person)
            began, now = time.monotonic(), as_changed(settings)
            params = _read_params(operation, request)
            if operation.takes:
                return await _act_on_file(operation, request, Asked(engine(), now, person, params, None))
            with ExitStack() as held:
                body = await _read_body(operation, request, lambda: held.enter_context(_place(now)))
                answer = await run_in_threadpool(_act, operation, Asked(engine(), now, person, params, body))
            if operation.in_ticks:
                await wait_for_tick(began)
            return answer

        endpoint.__doc__ = operation.summary
        return Route(address, _in_sentences(endpoint), methods=[operation.method])

    async def give_description(_request: Request) -> Response:
        """The description of the API, in OpenAPI 3.1."""
        servers = {"servers": [{"url": settings.base_path}]} if settings.base_path else {}
        return JSONResponse(describe(OPERATIONS) | servers)

    async def refuse_other(request: Request) -> Response:
        """A sentence, for an address or a method that the API does not have."""
        return _no_such(request.url.path)

    return [
        *(route(one, one.address) for one in OPERATIONS),
        *(route(one, SHORT_SCORE) for one in SCORES),
        Route(f"{API}openapi.json", give_description, methods=["GET"]),
        Route(f"{API}{{path:path}}", refuse_other, methods=METHODS),
    ]


def _act(operation: Operation, asked: Asked) -> Response:
    try:
        answer = operation.act(asked)
    except BadRequest as error:
        raise Refused(operation.refused, str(error)) from error
    if isinstance(answer, Response):
        return answer
    return Response(answer.model_dump_json(), media_type="application/json", headers=NOT_KEPT)


async def _act_on_file(operation: Operation, request: Request, asked: Asked) -> Response:
    """The answer of an operation that takes a file, which lies in a temporary folder until then."""
    if _kind_of(request) not in operation.takes:
        raise Refused(415, f"the body must be a file, sent with one of the content types {', '.join(operation.takes)}")
    with _place(asked.settings) as folder:
        path = folder / "body"
        try:
            if _kind_of(request) == MULTIPART:
                require_room(folder, int(request.headers.get("content-length", "0")))
                async with read_form(request) as form:
                    await keep_pieces(form.pieces, path, MAX_BYTES)
            else:
                await receive_file(request, path, MAX_BYTES)
        except TooLong as error:
            raise Refused(413, f"the file is longer than {MAX_BYTES >> 20} MiB; make it smaller") from error
        return await to_thread.run_sync(_act, operation, asked._replace(body=path), limiter=READERS)


def _kind_of(request: Request) -> str:
    return request.headers.get("content-type", "").split(";")[0].strip().lower()


def _read_params(operation: Operation, request: Request) -> BaseModel | None:
    given = {**request.query_params, **request.path_params}
    if operation.params is None:
        if given:
            raise BadRequest(f"{next(iter(given))[:80]}: this address takes no parameters; leave it out")
        return None
    with malformed():
        return operation.params.model_validate(given)


@contextmanager
def _place(settings: Settings) -> Iterator[Path]:
    """A folder for what comes in, which the worker reads too; it is gone afterwards."""
    cache = layout_of(settings).cache
    make_folder(cache)
    with work_folder(cache) as folder:
        yield folder


async def _read_body(operation: Operation, request: Request, place: Callable[[], Path]) -> BaseModel | Sent | None:
    if operation.upload:
        return await receive(request, place())
    if operation.body is None:
        return None
    if _kind_of(request) != "application/json":
        raise Refused(415, "the body must be JSON, sent with the content type application/json")
    try:
        data = await body_of(request)
    except BadRequest as error:
        raise Refused(413, f"the body is longer than {MAX_BODY} bytes; send less at once") from error
    with malformed():
        return operation.body.model_validate_json(data, strict=True)


def _in_sentences(endpoint: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    """The endpoint, with the statuses that only the API has beside those of every route."""

    async def answered(request: Request) -> Response:
        try:
            return await endpoint(request)
        except Refused as error:
            return _refuse(error.status, str(error))
        except NotSignedIn as error:
            return refuse_bearer(str(error))
        except UnknownVersion as error:
            return _refuse(404, str(error))

    answered.__doc__ = endpoint.__doc__
    return in_sentences(answered)


def _no_such(path: str) -> Response:
    allowed = [one.method for one in OPERATIONS if compile_path(one.address)[0].match(path)]
    if not allowed:
        return _refuse(404, f"the API has no address {path[:200]}; {API}openapi.json lists them")
    sentence = f"this address takes {' or '.join(allowed)}; {API}openapi.json says what each does"
    return _refuse(405, sentence, allow=", ".join(allowed))


def _refuse(status: int, sentence: str, **headers: Any) -> Response:
    return JSONResponse({"error": sentence}, status_code=status, headers=NOT_KEPT | headers)
