"""The routes of the page Pool: pages of the gallery, one picture, and what a curator decides. Raters get none of it."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Engine
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.routing import Route

from feedback.pool.browse.gallery import matching
from feedback.pool.browse.opened import open_image
from feedback.pool.curation import MOST_AT_ONCE, curate, decisions, undo
from feedback.rate.controls import make_control
from store.errors import BadRequest
from store.phrases import plural
from store.settings import Settings
from store.tables import PoolAction, Verdict
from ui.dashboard.pool.answers import (
    DONE,
    Answer,
    choices_answer,
    decision_answer,
    opened_answer,
    page_answer,
    read_filter,
    read_view,
)
from ui.dashboard.pool.download import download_route
from ui.signin.invitation_link import identify_sender
from ui.signin.json_routes import in_json, read_body
from ui.signin.powers import permit

PAGE = "Pool"
ADDRESS = "/naysayer/pool"
LOCAL_NAME = "this machine"


class DecideBody(BaseModel):
    """The body of `POST /naysayer/pool`: these pictures, or with none of them all that pass `filter`.

    `expected` is how many pass as far as the page knows; when it is another number now, nothing is decided.
    """

    model_config = ConfigDict(extra="forbid")
    action: PoolAction
    reason: str
    images: list[int] = Field(default=[], max_length=MOST_AT_ONCE)
    filter: dict[str, str] | None = None
    expected: int = 0


class UndoBody(BaseModel):
    """The body of `POST /naysayer/pool/undo`."""

    model_config = ConfigDict(extra="forbid")
    first: int
    last: int


class ControlBody(BaseModel):
    """The body of `POST /naysayer/pool/control`."""

    model_config = ConfigDict(extra="forbid")
    image: int
    answer: Literal[Verdict.reject, Verdict.keep]


class Asked(NamedTuple):
    """A request of somebody to whom the page is open; `body` is what the route takes."""

    engine: Engine
    by: str
    request: Request
    body: Any


def pool_routes(engine: Callable[[], Engine], settings: Settings) -> list[Route]:
    """The routes under `/naysayer/pool`. Each asks who sends the request, and whether the page is open to them."""

    def route(method: str, path: str, act: Callable[[Asked], Answer], kind: type[BaseModel] | None = None) -> Route:
        @wraps(act)
        async def answer(request: Request) -> Answer:
            body = None if kind is None else await read_body(request, kind)

            def run() -> Answer:
                person = permit(PAGE, identify_sender(engine(), settings, request))
                return act(Asked(engine(), person.name or LOCAL_NAME, request, body))

            return await run_in_threadpool(run)

        return Route(ADDRESS + path, in_json(answer), methods=[method])

    return [
        route("GET", "", give_gallery),
        route("GET", "/choices", give_choices),
        route("POST", "", decide, DecideBody),
        route("GET", "/decisions", give_decisions),
        download_route(engine, settings),
        route("POST", "/undo", take_back, UndoBody),
        route("POST", "/control", use_as_control, ControlBody),
        route("GET", "/{image:int}", give_picture),
    ]


def give_gallery(asked: Asked) -> Answer:
    """A page of the gallery; for curators."""
    params = asked.request.query_params
    return page_answer(asked.engine, read_filter(params), read_view(params))


def give_choices(asked: Asked) -> Answer:
    """How many pictures each choice of each filter leaves; for curators."""
    return choices_answer(asked.engine, read_filter(asked.request.query_params))


def give_picture(asked: Asked) -> Answer:
    """One picture of the pool and everything about it; for curators."""
    return opened_answer(open_image(asked.engine, asked.request.path_params["image"]))


def give_decisions(asked: Asked) -> Answer:
    """What was decided last; for curators."""
    return {"decisions": [decision_answer(one) for one in decisions(asked.engine)]}


def decide(asked: Asked) -> Answer:
    """Takes pictures out, puts them back, or overrules their verdict; for curators."""
    body: DecideBody = asked.body
    images = body.images
    if body.filter is not None:
        images = matching(asked.engine, read_filter(body.filter), MOST_AT_ONCE + 1)
        if len(images) != body.expected:
            raise BadRequest(
                f"{plural(len(images), 'picture')} pass the filter now, {body.expected:,} did when the page was drawn; "
                "nothing was changed, look again"
            )
    decided = curate(asked.engine, images, body.action, by=asked.by, reason=body.reason)
    return decided._asdict() | {"words": f"{plural(decided.pictures, 'picture')} {DONE[body.action]}"}


def take_back(asked: Asked) -> Answer:
    """Undoes a decision; for curators."""
    decided = undo(asked.engine, asked.body.first, asked.body.last, by=asked.by)
    return decided._asdict() | {"words": f"undone for {plural(decided.pictures, 'picture')}"}


def use_as_control(asked: Asked) -> Answer:
    """Makes a picture a control with that answer; for curators."""
    make_control(asked.engine, asked.body.image, asked.body.answer, by=asked.by)
    return {"words": f"picture {asked.body.image} is now a control"}
