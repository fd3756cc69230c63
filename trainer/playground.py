"""The playground's drawings: what a page asked for, drawn between two batches of the worker."""

import time

from sqlalchemy import Engine

from feedback.tasks import answer, take
from feedback.versions import PLAIN, get_version
from store.display import put_picture
from store.errors import NaysayerError
from store.layout import Layout
from store.tables import TaskKind, TaskStatus
from trainer.sampler import OnStep, Sampler

TELLS_EVERY_S = 0.5  # somebody waits for it


def draw_asked(engine: Engine, layout: Layout, sampler: Sampler) -> None:
    """Draws what the playground asked for, one picture after the other, each told as soon as it is there.

    The pictures are files alone: they are no part of the loop, nobody rates them.
    """
    asked = take(engine, TaskKind.draw)
    if asked is None or asked.id is None:
        return
    body, answers = asked.body, dict[str, str]()
    try:
        for number in body["versions"]:
            version = get_version(engine, number)
            if number != PLAIN and body["strength"] is not None:
                version = version.model_copy(update={"strength": body["strength"]})
            told = _teller(engine, asked.id, answers, number)
            [drawn] = sampler.draw(version, [body["prompt"]], [body["seed"]], told)
            answers[str(number)] = put_picture(layout, drawn.png)
            answer(engine, asked.id, TaskStatus.running, answers)
        answer(engine, asked.id, TaskStatus.done, answers)
    except NaysayerError as error:
        answer(engine, asked.id, TaskStatus.failed, answers, str(error))


def _teller(engine: Engine, task: int, answers: dict[str, str], version: int) -> OnStep:
    last = time.monotonic()

    def tell(step: int, steps: int) -> None:
        nonlocal last
        if time.monotonic() - last >= TELLS_EVERY_S:
            answer(engine, task, TaskStatus.running, answers, f"v{version}: step {step} of {steps}")
            last = time.monotonic()

    return tell
