"""What came of a drawing: pairs of large pictures, each with how far it is; any opens in the enlarged view."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import streamlit as st

from feedback.sample.requests import ComingPicture, DrawAnswer, DrawnPicture, DrawRequest, Side
from feedback.succession import PLAIN
from feedback.workers import NO_WORKER
from store.phrases import plural
from store.tables import Task, TaskStatus
from ui.dashboard.versions.card import part
from ui.web.pictures import image_url

PARTS = Path(__file__).with_name("parts")
WAITING = "Waiting for the worker, which draws it after its current batch."
AFTER = "your pictures come after it"
GONE = f"the worker ended midway; {NO_WORKER}"
ENDED = (TaskStatus.done, TaskStatus.failed)


def _read(name: str) -> str:
    return (PARTS / name).read_text(encoding="utf-8")


_drawn = st.components.v2.component(
    "naysayer_drawn",
    html=_read("drawn.html").replace("VIEWER", part("viewer/viewer.html")),
    css=part("viewer/colours.css", "viewer/viewer.css") + _read("drawn.css"),
    js=part("viewer/viewer.js") + _read("drawn.js"),
)


class Proposed(NamedTuple):
    """A strength that was pressed for a version."""

    version: int
    strength: float


class DrawnBy(NamedTuple):
    """A side's version, its own strength, and the version that has the same LoRA at the side's strength."""

    version: int
    own: float
    same: int | None


def show_drawn(found: Task, sides: Sequence[DrawnBy], *, is_alive: bool, taken: str = "") -> Proposed | None:
    """Draws the pairs; the strength that was pressed to be proposed. `taken` says who has the worker's device."""
    data = drawn_data(found, sides, is_alive=is_alive, taken=taken)
    pressed = _drawn(data=data, key="drawn", on_proposed_change=lambda: None).proposed
    if not pressed:
        return None
    number, strength = pressed.split()
    return Proposed(int(number), float(strength))


def drawn_data(found: Task, sides: Sequence[DrawnBy], *, is_alive: bool, taken: str = "") -> dict[str, Any]:
    """What the browser is sent: texts and picture addresses, no HTML."""
    asked, answer = DrawRequest.of(found), DrawAnswer.of(found)
    drawn, is_done = {(one.side, one.seed): one for one in answer.drawn}, found.status is TaskStatus.done
    coming = None if found.status in ENDED else answer.coming
    return {
        "prompt": asked.prompt,
        "said": said_of(found, is_alive=is_alive, taken=taken),
        "isWrong": found.status is TaskStatus.failed or not (is_alive or is_done),
        "sides": [
            _head(*side, is_done=found.status is TaskStatus.done) for side in zip(asked.sides, sides, strict=True)
        ],
        "rows": [
            {
                "seed": str(seed),
                "sides": [
                    _cell(name_of(side, sides[place].own), drawn.get((place, seed)), _at(coming, place, seed))
                    for place, side in enumerate(asked.sides)
                ],
            }
            for seed in asked.seeds
            if drawn or is_alive
        ],
    }


def said_of(found: Task, *, is_alive: bool, taken: str = "") -> str:
    """How far the drawing is, in a sentence; `taken` says who has the worker's device, if another has."""
    asked, done = DrawRequest.of(found), len(DrawAnswer.of(found).drawn)
    wanted = len(asked.seeds) * len(asked.sides)
    match found.status:
        case TaskStatus.waiting:
            if not is_alive:
                return _sentence(NO_WORKER)
            return _sentence(f"{taken}; {AFTER}") if taken else WAITING
        case TaskStatus.running:
            return f"{done} of {plural(wanted, 'picture')} drawn." if is_alive else _sentence(GONE)
        case TaskStatus.failed:
            return _sentence(f"not drawn: {found.message}")
    return ""


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}."


def name_of(side: Side, own: float) -> str:
    """A side in words.

    >>> name_of(Side(0), 0.0), name_of(Side(3, 5.0), 4.0)
    ('v0, the plain base', 'v3 at strength 5')
    """
    if side.version == PLAIN:
        return "v0, the plain base"
    return f"v{side.version} at strength {own if side.strength is None else side.strength:g}"


def _head(side: Side, by: DrawnBy, *, is_done: bool) -> dict[str, str]:
    """A side's heading, and what its button proposes: a strength that no version has yet."""
    found = {"name": name_of(side, by.own), "own": "", "act": "", "label": ""}
    if side.version == PLAIN or side.strength in (None, by.own):
        return found
    if by.same is not None:
        return found | {"own": f"as v{by.same} draws"}
    act = f"{side.version} {side.strength:g}" if is_done else ""
    return found | {"own": f"its own is {by.own:g}", "act": act, "label": f"Propose strength {side.strength:g}…"}


def _at(coming: ComingPicture | None, place: int, seed: int) -> ComingPicture | None:
    return coming if coming is not None and (coming.side, coming.seed) == (place, seed) else None


def _cell(name: str, drawn: DrawnPicture | None, coming: ComingPicture | None) -> dict[str, Any]:
    if drawn is not None:
        return {"name": name, "url": image_url(drawn.sha256), "said": drawn.tried}
    if coming is None:
        return {"name": name}
    again = f" of try {coming.number}" if coming.number > 1 else ""
    return {
        "name": name,
        "coming": coming.glimpse,
        "share": coming.step / coming.steps,
        "said": f"step {coming.step} of {coming.steps}{again}",
    }
