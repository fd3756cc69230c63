"""The card of two versions: which is better, by how much, is that sure, what decides, what to do."""

from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import streamlit as st
from markupsafe import Markup
from sqlalchemy import Engine

from feedback.gate.advice import (
    Advice,
    advise,
    counts_words,
    decided_words,
    deciding_words,
    guards_words,
    headline,
    interval_words,
    sureness_words,
)
from feedback.gate.comparison import Comparison, ShownPair, Stamp, compare_versions, read_stamp
from feedback.gate.gate import Conclusion, Evidence
from feedback.policy import Promotion, promotion_mode
from ui.web.pictures import image_url
from ui.web.process import settings
from ui.web.templates import render

HERE = Path(__file__).parent
ENDS = (0.1, 0.2, 0.4, 0.6, 1.0)
TONES = {Conclusion.better: "better", Conclusion.worse: "worse"}


def part(*names: str) -> str:
    """Files of this folder, one after another."""
    return "\n".join((HERE / name).read_text(encoding="utf-8") for name in names)


_card = st.components.v2.component(
    "naysayer_card",
    html=part("card/card.html").replace("VIEWER", part("viewer/viewer.html")),
    css=part("viewer/colours.css", "viewer/viewer.css", "card/card.css"),
    js=part("viewer/viewer.js", "card/card.js"),
)


class Act(NamedTuple):
    """The card's button: what it does, and its label; or where it leads, with a word on why."""

    name: Advice
    label: str
    href: str = ""
    why: str = ""


class Axis(NamedTuple):
    """Where the ends of the interval and the difference stand, in per cent of the axis, and the axis's numbers."""

    low: float
    high: float
    at: float
    ticks: tuple[str, ...]


def show_card(found: Comparison, key: str, *, has_acts: bool = True) -> tuple[Advice, int] | None:
    """Draws the card; the action that was pressed, and the version that it is about."""
    html = card_html(found, promotion_mode(settings()), has_acts=has_acts)
    pressed = _card(data={"html": str(html), "pairs": viewer_pairs(found)}, key=key, on_act_change=lambda: None).act
    if not pressed:
        return None
    name, number = pressed.rsplit(" ", 1)
    return Advice(name), int(number)


def card_html(found: Comparison, mode: Promotion, *, has_acts: bool = True) -> Markup:
    """The card as HTML; without its button where the person may not act, or acts already."""
    return render(
        "dashboard/versions/html/card.html",
        found=found,
        tone=TONES.get(found.evidence.conclusion, "open"),
        about=about_words(found),
        headline=headline(found),
        counts=counts_words(found.evidence),
        axis=axis_of(found.evidence),
        interval=interval_words(found.evidence),
        sure=sureness_words(found.evidence),
        guards=guards_words(found),
        decided=decided_words(found),
        deciding=deciding_words(found, mode),
        act=act_of(found) if has_acts else None,
    )


def about_words(found: Comparison) -> str:
    """Who the two versions are."""
    if found.is_challenge:
        return f"Challenger v{found.new} beside the champion v{found.old}"
    if found.is_live:
        return f"Champion v{found.new} beside v{found.old}"
    return f"v{found.new} beside v{found.old}"


def act_of(found: Comparison) -> Act | None:
    """The recommended action as a button; None where nothing is to be done."""
    number = found.new
    return {
        Advice.promote: Act(Advice.promote, f"Promote v{number}…"),
        Advice.rate: Act(
            Advice.rate,
            f"Rate pairs of v{number}",
            settings().below("/"),
            "they come up among the pictures to rate, blind",
        ),
        Advice.roll_back: Act(Advice.roll_back, f"Roll back to v{found.old}…"),
        Advice.set_aside: Act(Advice.set_aside, f"Set v{number} aside…"),
    }.get(advise(found))


def axis_of(evidence: Evidence) -> Axis:
    """The interval on an axis around 0 that holds it.

    >>> axis_of(Evidence(mended=12, spoilt=2, alike=32)).ticks
    ('−60', '−30', '0', '+30', '+60')
    """
    low, high = evidence.interval
    end = next(end for end in ENDS if end >= max(-low, high) or end == ENDS[-1])
    ticks = (f"{100 * end * step / 2:+.0f}".replace("-", "−") if step else "0" for step in range(-2, 3))

    def place(change: float) -> float:
        return 50 + 50 * change / end

    return Axis(place(low), place(high), place(evidence.difference or 0.0), tuple(ticks))


def viewer_pairs(found: Comparison) -> list[dict[str, Any]]:
    """What the enlarged view is sent: first the pairs that got better, then the others."""

    def sides(pair: ShownPair, new: str, old: str) -> dict[str, Any]:
        named = ((found.old, pair.old, old), (found.new, pair.new, new))
        return {
            "prompt": pair.prompt,
            "seed": str(pair.seed),
            "sides": [{"url": image_url(sha256), "name": f"v{number}", "said": said} for number, sha256, said in named],
        }

    better = [sides(pair, "kept", "rejected") for pair in found.better]
    return [*better, *(sides(pair, "rejected", "kept") for pair in found.worse)]


def compared_now(engine: Engine, new: int, old: int) -> Comparison:
    """The comparison of two versions, computed again only when a vote, an event or a measure came."""
    return _compared(engine, new, old, read_stamp(engine))


@lru_cache(maxsize=16)
def _compared(engine: Engine, new: int, old: int, _stamp: Stamp) -> Comparison:
    return compare_versions(engine, new, old)
