"""The Workers strip: who draws, on what, since when and how fast."""

from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

from markupsafe import Markup

from feedback.workers import SeenWorker, a_minute, doing_words, pace_words, span
from store.phrases import plural
from store.tables import WorkerState
from ui.web.templates import BLANK, render

EACH = 16
"""More workers than these are shown by machine."""


class Line(NamedTuple):
    """A worker, or all of one machine: where, what is done, how fast, and which colour says how it is."""

    where: str
    on: str
    does: str
    pace: str
    mood: str
    step: int
    steps: int


def workers_html(workers: Sequence[SeenWorker], flow: str = "") -> Markup:
    """A line a worker, a line a machine when there are many, then the flow; nothing where no worker ever spoke."""
    if not workers:
        return BLANK
    lines = [_line(worker) for worker in workers] if len(workers) <= EACH else _by_machine(workers)
    return render("dashboard/live/strip.html", lines=lines, total=_total(workers), flow=flow)


def _line(worker: SeenWorker) -> Line:
    row = worker.row
    if not worker.is_there:
        gone = f"no sign of life for {span(worker.silent_s)}; it ended without a word"
        return Line(row.host, row.device, gone, "", "gone", 0, 0)
    does = f"{doing_words(row, worker.scores)} for {span(worker.since_s)}"
    mood = "busy" if row.state is WorkerState.drawing or worker.scores else "calm"
    return Line(row.host, row.device, does, pace_words(row), mood, row.step, row.steps)


def _by_machine(workers: Sequence[SeenWorker]) -> list[Line]:
    return [_machine(host, list(group)) for host, group in groupby(workers, key=lambda worker: worker.row.host)]


def _machine(host: str, workers: list[SeenWorker]) -> Line:
    there = [worker.row for worker in workers if worker.is_there]
    drawing = sum(row.state is WorkerState.drawing for row in there)
    gone = len(workers) - len(there)
    does = f"{drawing} of {plural(len(there), 'worker')} drawing" + (f", {gone} ended without a word" if gone else "")
    devices = ", ".join(dict.fromkeys(row.device for row in there if row.device))
    mood = "gone" if gone else "busy" if drawing else "calm"
    return Line(host, devices, does, _total(workers), mood, 0, 0)


def _total(workers: Sequence[SeenWorker]) -> str:
    """What they draw together, at the pace of their last batches."""
    paces = [worker.row.per_minute or 0.0 for worker in workers if worker.is_there]
    together = sum(paces)
    return a_minute(together) if together else ""
