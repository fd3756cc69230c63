"""Rejects over the votes as a chart: points with intervals, a colour for each version."""

from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from feedback.figures.trend import Window, window_size
from feedback.statistics import Fraction
from feedback.succession import PLAIN
from store.phrases import plural
from ui.web.phrases import percent, thousands
from ui.web.pieces import axis_end
from ui.web.templates import render

TICKS = 6
"""At most so many numbers along the votes."""


class Point(NamedTuple):
    """A window of votes: its place on both axes in per cent, and its words."""

    version: int
    x: float
    y: float
    low: float
    high: float
    said: str


def trend_html(found: Sequence[Window], champion: int | None, what: str = "rejects") -> Markup:
    """The chart, or one sentence while there is nothing to show. `what` is counted: rejects, or those for a reason."""
    if not found:
        return render("dashboard/html/trend.html", points=[], what=what)
    start, end = min(window.start for window in found), max(window.end for window in found)
    top = axis_end(window.rejects.interval for window in found)
    return render(
        "dashboard/html/trend.html",
        points=[_point(window, start, end, top) for window in found],
        what=what,
        finding=finding(found, champion, what),
        size=window_size(end - start),
        versions=list(dict.fromkeys(window.version for window in found)),
        champion=champion,
        top=top,
        ticks=ticks(start, end),
    )


def finding(found: Sequence[Window], champion: int | None, what: str = "rejects") -> str:
    """What the newest votes on the champion and on the base say, each share with its votes.

    >>> finding([Window(0, 0, 100, Fraction(22, 50)), Window(3, 0, 99, Fraction(12, 50))], champion=3)
    'Rejects in the newest votes only: v3 24 % of 50 votes, v0 44 % of 50 votes.'
    """
    last = {window.version: window.rejects for window in found}
    shown = [number for number in dict.fromkeys((champion, PLAIN)) if number in last] or list(last)[-1:]
    shares = (f"v{number} {_share_words(last[number])}" for number in shown)
    return f"{what.capitalize()} in the newest votes only: {', '.join(shares)}."


def _share_words(rejects: Fraction) -> str:
    return f"{percent(rejects.part / rejects.whole)} of {plural(rejects.whole, 'vote')}"


def ticks(start: int, end: int) -> list[tuple[float, str]]:
    """Round numbers of votes along the axis, and where they stand in per cent of it.

    >>> ticks(0, 200)
    [(0.0, '0'), (25.0, '50'), (50.0, '100'), (75.0, '150'), (100.0, '200')]
    """
    steps = (step * 10**power for power in range(10) for step in (1, 2, 5))
    step = next(step for step in steps if (end - start) / step < TICKS)
    first = -(-start // step) * step
    return [(100 * (n - start) / (end - start), thousands(n)) for n in range(first, end + 1, step)]


def _point(window: Window, start: int, end: int, top: float) -> Point:
    n, (low, high) = window.rejects.whole, window.rejects.interval
    share = window.rejects.part / n
    return Point(
        window.version,
        100 * ((window.start + window.end) / 2 - start) / (end - start),
        100 * share / top,
        100 * low / top,
        100 * high / top,
        f"v{window.version}, votes {window.start + 1:,} to {window.end:,}: {percent(share)} of {plural(n, 'vote')}",
    )
