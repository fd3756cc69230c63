"""A retrain that one can watch: its phases, how long it still takes, its loss and the strengths as they come."""

from collections.abc import Mapping
from typing import NamedTuple

import streamlit as st
from markupsafe import Markup
from sqlalchemy import Engine

from feedback.retrain.progress import Points, RetrainNow, progress_of, retrain_now
from feedback.retrain.stages import PhaseSeen, left_words, phases_of, seconds_words
from feedback.workers import span
from store.tables import Version
from ui.web.pieces import data_line
from ui.web.templates import BLANK, render

THICK = 1.6
"""Half the height of the line of the loss, in per cent of the chart's."""


class Line(NamedTuple):
    """A curve, and the area below it, as polygons that CSS cuts out of a box; and the ends of its axes."""

    polygon: str
    area: str
    high: float
    low: float
    steps: int
    said: str


def show_retrain(engine: Engine) -> None:
    """The running retrain; nothing when none runs."""
    if page := retrain_html(retrain_now(engine)):
        st.html(page)


def retrain_html(now: RetrainNow | None) -> Markup:
    """The running retrain as a card; nothing when none runs."""
    if now is None:
        return BLANK
    stages, current = now.progress.stages, now.progress.current
    phases = phases_of(stages, now.last)
    return render(
        "dashboard/live/retrain.html",
        current=current,
        at=next((phase.phase for phase in phases if not phase.is_over), None),
        phases=phases,
        took=phase_words,
        left=left_words(now.left) if stages else "",
        is_resumed=now.run.message == "resumed",
        loss=loss_line(now.progress.curve),
        strengths=[strength_words(point) for point in now.progress.strengths],
    )


def phase_words(phase: PhaseSeen) -> str:
    """How long a phase took, or will take where that is known."""
    if phase.is_over:
        return span(phase.seconds)
    return "" if phase.expected_s is None else f"about {span(phase.expected_s)}"


def loss_line(curve: Points) -> Line | None:
    """The loss so far; None before the second point."""
    if len(curve) < 2:
        return None
    losses = [point["loss"] for point in curve]
    low, high, steps = min(losses), max(losses), int(curve[-1]["step"])
    height = high - low or 1.0
    places = [(100 * point["step"] / steps, 5 + 90 * (high - point["loss"]) / height) for point in curve]
    over = [f"{x:.2f}% {y - THICK:.2f}%" for x, y in places]
    under = [f"{x:.2f}% {y + THICK:.2f}%" for x, y in reversed(places)]
    said = f"loss from {losses[0]:.4f} to {losses[-1]:.4f} over {steps} steps"
    area = [f"{places[0][0]:.2f}% 100%", *(f"{x:.2f}% {y:.2f}%" for x, y in places), "100% 100%"]
    return Line(", ".join([*over, *under]), ", ".join(area), high, low, steps, said)


def strength_words(point: Mapping[str, float]) -> tuple[str, str, bool]:
    """A strength that was tried, what it does, and whether the guards allow it."""
    parts = (("push", "push"), ("diversity", "diversity"), ("contrast", "contrast"), ("saturation", "saturation"))
    measured = ", ".join(f"{title} {point[name]:.2f}" for name, title in parts if name in point)
    return f"{point['strength']:g}", measured, bool(point["passes"])


def show_seconds(engine: Engine, version: Version) -> None:
    """How long each phase of a version's retrain took; nothing where that was not recorded."""
    if version.run_id is None:
        return
    if words := seconds_words(progress_of(engine, version.run_id).stages):
        st.html(data_line(*words))
