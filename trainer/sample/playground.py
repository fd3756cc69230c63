"""The playground's drawings: what a page asked for, drawn between two batches of the worker."""

from sqlalchemy import Engine

from feedback.rate.display import put_picture
from feedback.sample.requests import ComingPicture, DrawAnswer, DrawnPicture, DrawRequest, Side, answer, take
from feedback.sample.tries import redraw_of, tries_allowed, tries_words
from feedback.sample.work import Job
from feedback.succession import PLAIN
from feedback.versions import get_version
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
    asker = Asker(engine, layout, task.id)
    try:
        request = DrawRequest.of(task)
        for seed in request.seeds:  # pair by pair, so that there is something to compare soon
            for place, side in enumerate(request.sides):
                _draw_one(asker, sampler, Job(request.prompt, seed), (place, side), report_every_s)
        asker.tell(TaskStatus.done)
    except NaysayerError as error:
        asker.tell(TaskStatus.failed, message=str(error))


class Asker:
    """Who waits for a drawing, and what was told so far."""

    def __init__(self, engine: Engine, layout: Layout, number: int) -> None:
        self.engine, self.layout, self.number = engine, layout, number
        self.drawn: list[DrawnPicture] = []

    def tell(self, status: TaskStatus, coming: ComingPicture | None = None, message: str = "") -> None:
        """Tells how far the drawing is."""
        answer(self.engine, self.number, status, DrawAnswer(self.drawn, coming)._asdict(), message)


def _draw_one(asker: Asker, sampler: CheckedSampler, job: Job, placed: tuple[int, Side], report_every_s: float) -> None:
    """Draws one picture, with glimpses of it on the way."""
    place, side = placed
    version = get_version(asker.engine, side.version)
    if side.version != PLAIN and side.strength is not None:
        version = version.model_copy(update={"strength": side.strength})

    def report(step: DrawStep) -> None:
        [glimpse] = decode_latents(sampler.base, shrink(step.glimpse()), may_be_black=True)
        coming = ComingPicture(place, job.seed, data_uri(glimpse), step.step, step.steps, step.number)
        asker.tell(TaskStatus.running, coming)

    redraw = redraw_of(version, tries_allowed(sampler.base.settings))
    [drawn] = sampler.draw(version, [job], now_and_then(report, report_every_s), redraw)
    tried = tries_words(drawn.tries) if drawn.tries.scores else ""
    asker.drawn.append(DrawnPicture(place, job.seed, put_picture(asker.layout, drawn.png), tried))
    asker.tell(TaskStatus.running)
