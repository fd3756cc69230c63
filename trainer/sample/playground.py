"""The playground's drawings: what a page asked for, drawn between two batches of the worker."""

import time

from sqlalchemy import Engine

from feedback.rate.display import put_picture
from feedback.sample.jobs import Job
from feedback.sample.requests import COMING, answer, take
from feedback.versions import PLAIN, get_version
from store.errors import NaysayerError
from store.layout import Layout
from store.tables import TaskKind, TaskStatus
from trainer.base.vae import decode_latents
from trainer.sample.preview import DrawStep, data_uri, shrink
from trainer.sample.sampler import OnStep, Sampler

TELLS_EVERY_S = 0.5  # somebody waits for it


def draw_asked(engine: Engine, layout: Layout, sampler: Sampler) -> None:
    """Draws what the playground asked for, one picture after the other, each told as soon as it is there.

    The pictures are only files: they are no part of the loop, and nobody rates them.
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
            told = _teller(engine, sampler, asked.id, answers, number)
            [drawn] = sampler.draw(version, [Job(body["prompt"], body["seed"])], told)
            answers[str(number)] = put_picture(layout, drawn.png)
            answer(engine, asked.id, TaskStatus.running, answers)
        answer(engine, asked.id, TaskStatus.done, answers)
    except NaysayerError as error:
        answer(engine, asked.id, TaskStatus.failed, answers, str(error))


def _teller(engine: Engine, sampler: Sampler, task: int, answers: dict[str, str], version: int) -> OnStep:
    """Tells now and then how far the drawing is, with a glimpse of it."""
    last = time.monotonic()

    def tell(now: DrawStep) -> None:
        nonlocal last
        if time.monotonic() - last >= TELLS_EVERY_S:
            [glimpse] = decode_latents(sampler.base, shrink(now.glimpse()))
            coming = {f"{version} {COMING}": data_uri(glimpse)}
            message = f"v{version}: step {now.step} of {now.steps}"
            answer(engine, task, TaskStatus.running, answers | coming, message)
            last = time.monotonic()

    return tell
