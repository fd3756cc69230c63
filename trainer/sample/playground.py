"""The playground's drawings: what a page asked for, drawn between two batches of the worker."""

from functools import partial

from sqlalchemy import Engine

from feedback.rate.display import put_picture
from feedback.sample.requests import COMING, TRIED, DrawRequest, answer, take
from feedback.sample.tries import redraw_of, tries_allowed, tries_words
from feedback.sample.work import Job
from feedback.versions import PLAIN, get_version
from store.errors import NaysayerError
from store.layout import Layout
from store.tables import TaskKind, TaskStatus
from trainer.base.vae import decode_latents
from trainer.sample.preview import DrawStep, data_uri, now_and_then, shrink
from trainer.sample.tries import CheckedSampler

REPORT_EVERY_S = 0.5  # somebody is waiting for it


def draw_asked(engine: Engine, layout: Layout, sampler: CheckedSampler, report_every_s: float = REPORT_EVERY_S) -> None:
    """Draws what the playground asked for, one picture at a time; the page shows each as soon as it is there.

    The pictures are only files: they are no part of the loop, and nobody rates them.
    """
    task = take(engine, TaskKind.draw)
    if task is None or task.id is None:
        return
    number, request, answers = task.id, DrawRequest.of(task), dict[str, str]()

    def report(version: int, step: DrawStep) -> None:
        """Shows how far a drawing is, with a glimpse of it."""
        [glimpse] = decode_latents(sampler.base, shrink(step.glimpse()), may_be_black=True)
        coming = {f"{version} {COMING}": data_uri(glimpse)}
        again = f" of try {step.number}" if step.number > 1 else ""
        message = f"v{version}: step {step.step} of {step.steps}{again}"
        answer(engine, number, TaskStatus.running, answers | coming, message)

    try:
        for wanted in request.versions:
            version = get_version(engine, wanted)
            if wanted != PLAIN and request.strength is not None:
                version = version.model_copy(update={"strength": request.strength})
            on_step = now_and_then(partial(report, wanted), report_every_s)
            redraw = redraw_of(version, tries_allowed(sampler.base.settings))
            [drawn] = sampler.draw(version, [Job(request.prompt, request.seed)], on_step, redraw)
            answers[str(wanted)] = put_picture(layout, drawn.png)
            if drawn.tries.scores:
                answers[f"{wanted} {TRIED}"] = tries_words(drawn.tries)
            answer(engine, number, TaskStatus.running, answers)
        answer(engine, number, TaskStatus.done, answers)
    except NaysayerError as error:
        answer(engine, number, TaskStatus.failed, answers, str(error))
