"""The routes of the page Sort. Only who may run the model gets an answer, and each asks at the moment of acting."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Engine
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from feedback.exchange.sorting.acting import MOST_AT_ONCE, What, act
from feedback.exchange.sorting.sortings import (
    Sorting,
    ask_to_sort,
    list_sortings,
    require_allowed,
    require_sorting,
    require_source,
    stop_sorting,
)
from store.phrases import plural
from store.settings import Settings
from store.settings.live import as_changed
from ui.dashboard.sort.answers import ADDRESS, Answer, listed, rows_answer, sorting_answer
from ui.dashboard.sort.export import export_flagged
from ui.dashboard.sort.pictures import send_picture
from ui.signin.invitation_link import identify_sender
from ui.signin.json_routes import in_json, in_sentences, malformed, read_body
from ui.signin.powers import permit

PAGE = "Sort"
DONE: dict[What, str] = {"move": "moved", "copy": "copied", "tag": "tagged", "send": "sent to raters"}


class FolderBody(BaseModel):
    """The body of `POST /naysayer/sort`."""

    model_config = ConfigDict(extra="forbid")
    folder: str = Field(min_length=1, max_length=1000)


class StopBody(BaseModel):
    """The body of `POST /naysayer/sort/{number}/stop`: nothing."""

    model_config = ConfigDict(extra="forbid")


class RowsBody(BaseModel):
    """The body of `POST /naysayer/sort/{number}/rows`."""

    model_config = ConfigDict(extra="forbid")
    rows: list[int] = Field(max_length=MOST_AT_ONCE)


class ActBody(BaseModel):
    """The body of `POST /naysayer/sort/{number}/act`: some of the pictures; the page sends more until all are done."""

    model_config = ConfigDict(extra="forbid")
    what: What
    rows: list[int] = Field(min_length=1, max_length=MOST_AT_ONCE)
    to: str = Field("", max_length=1000)


class Asked(NamedTuple):
    """A request of somebody to whom the page is open; `body` is what the route takes."""

    engine: Engine
    settings: Settings
    request: Request
    body: Any

    @property
    def sorting(self) -> Sorting:
        """The one that the address names, whose folder pages may still read. Raises BadRequest."""
        found = require_sorting(self.engine, self.request.path_params["number"])
        require_allowed(self.settings, found.folder)
        return found


def sort_routes(engine: Callable[[], Engine], settings: Settings) -> list[Route]:
    """The routes under `/naysayer/sort`."""

    def ask(request: Request, body: Any = None) -> Asked:
        permit(PAGE, identify_sender(engine(), settings, request))
        return Asked(engine(), as_changed(settings), request, body)

    def json(method: str, path: str, act: Callable[[Asked], Answer], kind: type[BaseModel] | None = None) -> Route:
        @wraps(act)
        async def answer(request: Request) -> Answer:
            body = None if kind is None else await read_body(request, kind)
            return await run_in_threadpool(lambda: act(ask(request, body)))

        return Route(ADDRESS + path, in_json(answer), methods=[method])

    def file(path: str, give: Callable[[Asked], Response]) -> Route:
        @wraps(give)
        async def answer(request: Request) -> Response:
            return await run_in_threadpool(lambda: give(ask(request)))

        return Route(ADDRESS + path, in_sentences(answer), methods=["GET"])

    return [
        json("GET", "", give_folders),
        json("POST", "", begin, FolderBody),
        json("GET", "/{number:int}", give_scores),
        json("POST", "/{number:int}/rows", give_rows, RowsBody),
        json("POST", "/{number:int}/stop", stop, StopBody),
        json("POST", "/{number:int}/act", act_on, ActBody),
        file("/{number:int}/flagged.zip", give_flagged),
        file("/{number:int}/picture/{name}", give_picture),
    ]


def give_folders(asked: Asked) -> Answer:
    """The folders that were sorted before; for admins."""
    return listed(asked.engine, asked.settings, list_sortings(asked.engine))


def begin(asked: Asked) -> Answer:
    """Asks the worker to score a folder, or to go on with it; for admins."""
    folder = Path(asked.body.folder.strip())
    require_source(require_allowed(asked.settings, folder))
    return {"number": ask_to_sort(asked.engine, asked.settings, folder).number}


def give_scores(asked: Asked) -> Answer:
    """How far a folder is, and scores from a row on; for admins."""
    with malformed():
        after = After.model_validate(dict(asked.request.query_params)).after
    return sorting_answer(asked.engine, asked.settings, asked.sorting, after)


class After(BaseModel):
    """The parameters of `GET /naysayer/sort/{number}`."""

    after: int = Field(0, ge=0)


def give_rows(asked: Asked) -> Answer:
    """Some pictures of a folder: names, prompts, addresses; for admins."""
    return rows_answer(asked.settings, asked.sorting, [number for number in asked.body.rows if number >= 0])


def stop(asked: Asked) -> Answer:
    """Stops scoring; what was scored stays; for admins."""
    stop_sorting(asked.engine, asked.sorting.number)
    return {}


def act_on(asked: Asked) -> Answer:
    """Moves, copies or tags pictures of a folder, or sends them to raters; for admins."""
    body: ActBody = asked.body
    to = Path(body.to.strip()) if body.to.strip() else None
    done = act(asked.engine, asked.settings, asked.sorting, body.what, body.rows, to)
    words = f"{plural(done.pictures, 'picture')} {DONE[body.what]}"
    return {"words": words, "done": done.pictures, "stayed": done.stayed}


def give_flagged(asked: Asked) -> Response:
    """The pictures that score above a cut, and their table, as one zip; for admins."""
    with malformed():
        cut = CutAt.model_validate(dict(asked.request.query_params)).cut
    return export_flagged(asked.engine, asked.settings, asked.sorting, cut)


class CutAt(BaseModel):
    """The parameters of `GET /naysayer/sort/{number}/flagged.zip`."""

    cut: float = Field(allow_inf_nan=False)


def give_picture(asked: Asked) -> Response:
    """A small copy of a picture's pixels, at an address that the page was given; for admins."""
    return send_picture(asked.settings, asked.sorting, asked.request.path_params["name"])
