"""The score of a picture that a program sends: it comes in here, the worker scores it."""

import time
from collections.abc import AsyncIterator
from pathlib import Path
from threading import BoundedSemaphore
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from feedback.exchange.sorting.champion import judging_champion
from feedback.exchange.sorting.one import NAME, ask_score, meaning_of
from feedback.sample.prompts import MAX_CHARACTERS
from feedback.sample.requests import forget, task
from feedback.workers import NO_WORKER, is_worker_alive, list_workers, who_has_device
from store.errors import BadRequest
from store.tables import Task, TaskStatus
from ui.api.forms import FILE, MULTIPART, form_schema, read_form
from ui.api.operation import Asked, Operation, Refused
from ui.signin.bearer import SCORE
from ui.web.limits import MAX_PICTURE_BYTES, TooLong

WAIT_S, LOOK_S = 60.0, 0.05
"""So long a program waits for the worker, which may be drawing a batch; and how often it is looked for the answer."""
AT_ONCE = BoundedSemaphore(8)
"""Programs that wait each hold one of the server's threads, of which the pages need the others."""
KINDS = ("image/png", "image/jpeg", "image/webp", "application/octet-stream")


class Beside(BaseModel):
    """What is said beside the picture."""

    model_config = ConfigDict(extra="forbid")
    prompt: str = Field("", max_length=MAX_CHARACTERS, description="what it was drawn for; empty: its metadata say it")


class Score(BaseModel):
    """How much a picture is like those that raters reject."""

    score: float = Field(description="higher is worse")
    is_over: bool = Field(description="whether it scores above the version's cut")
    cut: float | None = Field(description="the score that one in five of the version's own pictures exceeds")
    chance: float | None = Field(description="the chance that a rater rejects it, from 0 to 1")
    version: int = Field(description="the champion, whose check this is")
    prompt: str = Field(description="the prompt under which it was scored")
    meaning: str = Field(description="what the cut means on pictures that raters judged")


class Sent(NamedTuple):
    """A folder with the picture in it, and the prompt that was sent with it."""

    folder: Path
    prompt: str


def score_picture(asked: Asked) -> Score:
    """The score of a picture under its prompt, by the champion's check; the worker gives it between two drawings."""
    sent: Sent = asked.body
    beside: Beside = asked.params
    try:
        judging_champion(asked.engine)
    except BadRequest as error:
        raise Refused(409, str(error)) from error
    if not AT_ONCE.acquire(blocking=False):
        raise Refused(503, "eight pictures are being scored already; send this one again in a second")
    try:
        number, request = ask_score(asked.engine, sent.folder, sent.prompt or beside.prompt)
        try:
            done = _wait(asked, number)
        finally:
            forget(asked.engine, number)
    finally:
        AT_ONCE.release()
    if done.status is not TaskStatus.done:
        raise Refused(503, f"it was not scored: {done.message}")
    found = meaning_of(asked.engine, request, done.answer)
    return Score(
        score=found.score,
        is_over=found.is_over,
        cut=found.cut,
        chance=found.chance,
        version=found.version,
        prompt=found.prompt,
        meaning=found.words,
    )


def _wait(asked: Asked, number: int) -> Task:
    """The task once it has ended. Raises Refused when no worker comes to it."""
    until = time.monotonic() + WAIT_S
    if not is_worker_alive(asked.engine):
        raise Refused(503, NO_WORKER)
    while time.monotonic() < until:
        found = task(asked.engine, number)
        if found is None:
            raise Refused(503, "the worker has forgotten it; send it again")
        if found.status in (TaskStatus.done, TaskStatus.failed):
            return found
        time.sleep(LOOK_S)
    why = who_has_device(list_workers(asked.engine)) or "a batch of pictures"
    raise Refused(503, f"the worker did not come to it within {WAIT_S:.0f} s, because of {why}; send it again")


async def receive(request: Request, folder: Path) -> Sent:
    """Writes the picture of a request to `folder`, piece by piece. Raises Refused or BadRequest."""
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    try:
        if kind == MULTIPART:
            return Sent(folder, await _receive_form(request, folder))
        if kind not in KINDS:
            raise Refused(415, f"send the picture as {', '.join(KINDS)} or, with its prompt, as {MULTIPART}")
        await _write(request.stream(), folder)
    except TooLong as error:
        raise _too_long() from error
    return Sent(folder, "")


async def _receive_form(request: Request, folder: Path) -> str:
    """The prompt of a form; its picture is written to `folder`."""
    async with read_form(request, "prompt") as form:
        prompt = form.texts.get("prompt", "")
        if len(prompt) > MAX_CHARACTERS:
            raise BadRequest(f"the prompt is longer than {MAX_CHARACTERS} characters; send a shorter one")
        await _write(form.pieces, folder)
        return prompt


async def _write(pieces: AsyncIterator[bytes], folder: Path) -> None:
    written = 0
    with (folder / NAME).open("wb") as file:
        async for piece in pieces:
            written += len(piece)
            if written > MAX_PICTURE_BYTES:
                raise _too_long()
            await run_in_threadpool(file.write, piece)


def _too_long() -> Refused:
    return Refused(413, f"the picture is longer than {MAX_PICTURE_BYTES >> 20} MiB; send a smaller one")


def upload_content() -> dict[str, Any]:
    """What a picture may be sent as, for the description of the API."""
    form = form_schema({"prompt": {"type": "string", "maxLength": MAX_CHARACTERS}})
    return {kind: {"schema": FILE} for kind in KINDS} | {MULTIPART: {"schema": form}}


SCORES = (Operation("POST", SCORE, "Playground", score_picture, Score, params=Beside, upload=upload_content),)
