"""The rating page's routes: pictures out, votes in, receipts out. No answer tells what a picture is."""

import asyncio
import time
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidatorFunctionWrapHandler, WrapValidator
from sqlalchemy import Engine
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from feedback.figures.summary import rating_state
from feedback.policy import rejects_needed
from feedback.pool.pool import how_due
from feedback.rate.guidelines import current_guidelines
from feedback.rate.queue import Shown, next_images
from feedback.rate.terms import Terms
from feedback.rate.votes import GivenVote, Press, Receipt, has_voted, recent_votes, take_votes
from feedback.workers import is_worker_alive
from store.errors import BadRequest, NotSignedIn
from store.settings import Settings
from store.settings.live import as_changed
from store.tables import RunStatus
from ui.rate.gauge import gauge_of
from ui.rate.pace import newcomers_of, pace_of
from ui.rate.page_data import LIMITS
from ui.signin.invitation_link import identify_sender, refuse
from ui.signin.json_routes import Answer, first_fault, in_json, read_body
from ui.web.pictures import IMAGES, rater_path, send_image
from ui.web.templates import markdown_html

TICK_S = 0.025


class NextBody(BaseModel):
    """The body of `POST /naysayer/next`."""

    model_config = ConfigDict(extra="forbid")
    rater: str
    count: int = Field(LIMITS.queue, ge=1, le=LIMITS.maxQueue)
    has_none: bool = Field(False, description="whether the page has no picture")
    recent: bool = Field(True, description="with the rater's last votes, which a page needs once")


def _press_or_refusal(value: Any, read: ValidatorFunctionWrapHandler) -> Any:
    """The press; for a malformed one its receipt, so that it does not hold up the votes beside it."""
    try:
        return read(value)
    except ValidationError as error:
        request_id = value.get("request_id") if isinstance(value, dict) else None
        return Receipt(request_id[:64] if isinstance(request_id, str) else "", first_fault(error))


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
        body = _as_signed_in(request, await read_body(request, NextBody))
        address = request.client.host if request.client else ""
        hand = await run_in_threadpool(hand_of, engine(), settings, address, body)
        return await run_in_threadpool(
            next_answer, engine(), as_changed(settings), body.model_copy(update={"count": hand})
        )

    async def take_votes(request: Request) -> Answer:
        """A receipt for each vote, once all are on disk."""
        body, began = await read_body(request, VotesBody), time.monotonic()
        answer = await run_in_threadpool(votes_answer, engine(), as_changed(settings), _as_signed_in(request, body))
        await wait_for_tick(began)
        return answer

    async def give_guidelines(request: Request) -> Answer:
        """What raters are asked to look for."""
        identify_sender(engine(), settings, request)
        return await run_in_threadpool(guidelines_answer, engine())

    async def give_image(request: Request) -> Response:
        """A picture, by its signed name."""
        try:
            await run_in_threadpool(identify_sender, engine(), settings, request)
        except NotSignedIn as error:
            return refuse(str(error))
        return await run_in_threadpool(send_image, engine(), settings, request.path_params["name"])

    return [
        Route("/naysayer/next", in_json(give_next), methods=["POST"]),
        Route("/naysayer/votes", in_json(take_votes), methods=["POST"]),
        Route("/naysayer/guidelines", in_json(give_guidelines), methods=["GET"]),
        Route(IMAGES + "{name}", give_image, methods=["GET"]),
    ]


async def wait_for_tick(began: float) -> None:
    """Lets every answer to a vote take whole ticks: the vote on a repeat changes fewer rows, and took less time."""
    await asyncio.sleep(TICK_S - (time.monotonic() - began) % TICK_S)


def next_answer(engine: Engine, settings: Settings, body: NextBody) -> Answer:
    """The pictures this rater sees next, and the rater's last votes, so that undo survives a reload."""
    terms = Terms.of(settings)
    images = next_images(engine, body.rater, terms, count=body.count, has_none=body.has_none)
    recent = recent_votes(engine, body.rater, LIMITS.history) if body.recent else []
    return {
        "images": [_image(settings, shown) for shown in images],
        "recent": [_given(settings, vote) for vote in recent],
        "guidelines": guidelines.id if (guidelines := current_guidelines(engine)) else 0,
        **_state(engine, settings, body.rater),
    }


def guidelines_answer(engine: Engine) -> Answer:
    """The guidelines' version and HTML; version 0 for none."""
    guidelines = current_guidelines(engine)
    if guidelines is None:
        return {"number": 0, "html": ""}
    return {"number": guidelines.id, "html": markdown_html(guidelines.text)}


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


def _given(settings: Settings, vote: GivenVote) -> Answer:
    marks = [{"x": x, "y": y} for x, y in vote.marks]
    noted = {"reasons": [reason.value for reason in vote.reasons], "marks": marks}
    return {"image": _image(settings, vote.picture), "verdict": vote.verdict.value, "noted": noted}


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
