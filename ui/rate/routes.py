"""The rating page's routes: pictures out, votes in, receipts out. No answer tells what a picture is."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidatorFunctionWrapHandler, WrapValidator
from sqlalchemy import Engine
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from feedback.figures.summary import rating_state
from feedback.policy import rejects_needed
from feedback.pool.pool import how_due
from feedback.rate.queue import Shown, next_images
from feedback.rate.terms import Terms
from feedback.rate.votes import Press, Receipt, has_voted, recent_votes, take_votes
from feedback.sample.requests import is_worker_alive
from store.errors import BadRequest, InputError, NaysayerError, NotAllowed, NotSignedIn, TooFast
from store.settings import Settings
from store.tables import RunStatus
from ui.rate.gauge import gauge_of
from ui.rate.pace import newcomers_of, pace_of
from ui.rate.page_data import LIMITS
from ui.signin.invitation_link import identify_sender, refuse
from ui.web.pictures import IMAGES, rater_path, send_image

log = logging.getLogger(__name__)

MAX_BODY = 1 << 20
TICK_S = 0.025

Answer = dict[str, Any]
Body = TypeVar("Body", bound=BaseModel)


class NextBody(BaseModel):
    """The body of `POST /naysayer/next`."""

    model_config = ConfigDict(extra="forbid")
    rater: str
    count: int = Field(LIMITS.queue, ge=1, le=LIMITS.maxQueue)


def _press_or_refusal(value: Any, read: ValidatorFunctionWrapHandler) -> Any:
    """The press; for a malformed one its receipt, so that it does not hold up the votes beside it."""
    try:
        return read(value)
    except ValidationError as error:
        request_id = value.get("request_id") if isinstance(value, dict) else None
        return Receipt(request_id[:64] if isinstance(request_id, str) else "", _first_fault(error))


class VotesBody(BaseModel):
    """The body of `POST /naysayer/votes`."""

    model_config = ConfigDict(extra="forbid")
    rater: str
    votes: list[Annotated[Press | Receipt, WrapValidator(_press_or_refusal)]] = Field(max_length=LIMITS.maxBatch)


def routes(engine: Callable[[], Engine], settings: Settings) -> list[Route]:
    """The routes under `/naysayer/`; `engine` is called for each request, so that importing opens nothing."""

    def _as_signed_in(request: Request, body: Any) -> Any:
        """The body, under the name of whoever is signed in. Raises NotSignedIn, also for another rater's votes."""
        name = identify_sender(engine(), settings, request).name
        if name and isinstance(body, VotesBody) and body.rater != name:
            raise NotSignedIn(
                f"these votes belong to {body.rater[: LIMITS.maxName]}, but {name} is signed in; "
                "they wait until that rater signs in"
            )
        return body.model_copy(update={"rater": name or body.rater})

    async def give_next(request: Request) -> Answer:
        """The next pictures for a rater, and the rater's last votes."""
        body = _as_signed_in(request, await _read(request, NextBody))
        address = request.client.host if request.client else ""
        hand = await run_in_threadpool(hand_of, engine(), settings, address, body)
        return await run_in_threadpool(next_answer, engine(), settings, body.model_copy(update={"count": hand}))

    async def take_votes(request: Request) -> Answer:
        """A receipt for each vote, once all are on disk."""
        body, began = await _read(request, VotesBody), time.monotonic()
        answer = await run_in_threadpool(votes_answer, engine(), settings, _as_signed_in(request, body))
        await wait_for_tick(began)
        return answer

    async def give_image(request: Request) -> Response:
        """A picture, by its signed name."""
        try:
            await run_in_threadpool(identify_sender, engine(), settings, request)
        except NotSignedIn as error:
            return refuse(str(error))
        return await run_in_threadpool(send_image, engine(), settings, request.path_params["name"])

    return [
        Route("/naysayer/next", _in_json(give_next), methods=["POST"]),
        Route("/naysayer/votes", _in_json(take_votes), methods=["POST"]),
        Route(IMAGES + "{name}", give_image, methods=["GET"]),
    ]


async def wait_for_tick(began: float) -> None:
    """Lets every answer to a vote take whole ticks: the vote on a repeat changes fewer rows, and took less time."""
    await asyncio.sleep(TICK_S - (time.monotonic() - began) % TICK_S)


def next_answer(engine: Engine, settings: Settings, body: NextBody) -> Answer:
    """The pictures this rater sees next, and the rater's last votes, so that undo survives a reload."""
    images = next_images(engine, body.rater, Terms.of(settings), count=body.count)
    recent = recent_votes(engine, body.rater, LIMITS.history)
    return {
        "images": [_image(settings, shown) for shown in images],
        "recent": [{"image": _image(settings, shown), "verdict": verdict.value} for shown, verdict in recent],
        **_state(engine, settings, body.rater),
    }


def hand_of(engine: Engine, settings: Settings, address: str, body: NextBody) -> int:
    """How many pictures this rater is given: fewer for a new name where many names of one address are new."""
    if settings.sign_in != "name" or has_voted(engine, body.rater):
        return body.count
    return newcomers_of(settings).hand(address, body.rater, body.count)


def votes_answer(engine: Engine, settings: Settings, body: VotesBody) -> Answer:
    """A receipt for every press, given once all of them are committed.

    Raises TooFast before any is taken, BadRequest when none can be read.
    """
    pace_of(settings).take(body.rater, len(body.votes))
    refused = [vote for vote in body.votes if isinstance(vote, Receipt)]
    presses = [vote for vote in body.votes if isinstance(vote, Press)]
    if refused and not presses:
        raise BadRequest(refused[0].refused)
    receipts = take_votes(engine, body.rater, presses, Terms.of(settings)) + refused
    return {
        "receipts": [receipt._asdict() for receipt in receipts],
        **_state(engine, settings, body.rater),
    }


def _image(settings: Settings, shown: Shown) -> Answer:
    return {
        "id": shown.number,
        "url": rater_path(settings, shown.number),
        "prompt": shown.prompt,
        "unread": shown.unread,
        "width": shown.width,
        "height": shown.height,
    }


def _state(engine: Engine, settings: Settings, rater: str) -> Answer:
    progress, run = rating_state(engine, rater)
    needed = rejects_needed(settings)
    new_rejects = gauge_of(settings).read(lambda: how_due(engine, needed, settings.rater_share).new_rejects)
    is_running = run is not None and run.status is RunStatus.running
    return {
        "progress": {"votes": progress.answers, "today": progress.today},
        "due": {"new_rejects": new_rejects, "needed": needed},
        "is_drawing": is_worker_alive(engine),
        "run": {"step": run.step, "steps": run.steps} if run is not None and is_running else None,
    }


async def _read(request: Request, kind: type[Body]) -> Body:
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
        raise BadRequest(_first_fault(error)) from error


def _first_fault(error: ValidationError) -> str:
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"]) or "the body"
    return f"{place[:80]}: {first['msg']}"


def _in_json(answer: Callable[[Request], Awaitable[Answer]]) -> Callable[[Request], Awaitable[Response]]:
    """An endpoint that answers in JSON: our own errors with their sentence, any other error as 500 and in the log.

    400: the request will never be accepted. 429, 503: the page keeps its votes and tries again.
    """

    @wraps(answer)
    async def endpoint(request: Request) -> Response:
        try:
            return JSONResponse(await answer(request), headers={"cache-control": "no-store"})
        except NotSignedIn as error:
            return refuse(str(error))
        except NotAllowed as error:
            return JSONResponse({"error": str(error)}, status_code=403)
        except TooFast as error:
            return JSONResponse({"error": str(error)}, status_code=429, headers={"retry-after": str(error.retry_s)})
        except NaysayerError as error:
            status = 400 if isinstance(error, InputError) else 503
            return JSONResponse({"error": str(error)}, status_code=status)
        except Exception:
            log.exception("%s failed", request.url.path)
            sentence = "something went wrong on the server; its log has the details. Your votes are safe"
            return JSONResponse({"error": sentence}, status_code=500)

    return endpoint
