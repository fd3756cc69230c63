"""Pieces of pages as HTML text (`st.html` drops SVG). Every word from outside goes through `html.escape` here."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from html import escape

from feedback.figures.summary import VersionRow
from feedback.statistics import Interval
from ui.web.phrases import ago, percent
from ui.web.pictures import image_url


def moment(then: datetime) -> str:
    """A `time` element: how long ago, with the exact time on hover."""
    exact = f"{then:%Y-%m-%d %H:%M:%S} UTC"
    return f'<time datetime="{then:%Y-%m-%dT%H:%M:%SZ}" title="{exact}">{ago(then)}</time>'


def bar(part: float, whole: float, label: str) -> str:
    """A slim progress bar, with its meaning for those who cannot see it."""
    width = 100 * min(1.0, part / whole) if whole else 0
    return (
        f'<div class="ns-bar" role="progressbar" aria-label="{escape(label, quote=True)}" aria-valuemin="0" '
        f'aria-valuemax="{whole:g}" aria-valuenow="{min(part, whole):g}"><i style="width:{width:.1f}%"></i></div>'
    )


def badges(aliases: Iterable[str]) -> str:
    """The aliases of a version."""
    return "".join(f'<span class="ns-badge {escape(name)}">{escape(name)}</span>' for name in aliases)


def alert(sentence: str) -> str:
    """One of our errors, as text."""
    return f'<p class="ns-alert" role="alert">{escape(sentence)}</p>'


def head(title: str, *parts: str) -> str:
    """The top of a page: its name and what its figures are based on."""
    return f'<h1 class="ns-title">{escape(title)}</h1>{data_line(*parts)}'


def data_line(*parts: str) -> str:
    """What a page's figures are based on."""
    return f'<p class="ns-data">{" · ".join(escape(part) for part in parts)}</p>'


def axis_end(rows: Sequence[VersionRow]) -> float:
    """Where the shared axis of thumbs-down rates ends: the first fifth that holds every interval.

    >>> axis_end([])
    1.0
    """
    highest = max((row.interval.high for row in rows if row.rate is not None), default=1.0)
    return next(end / 5 for end in range(1, 6) if end / 5 >= highest or end == 5)


def interval_bar(
    rate: float | None, interval: Interval, end: float, is_champion: bool = False, watched: Interval | None = None
) -> str:
    """A rate as a dot on its interval, from 0 to `end`; an empty axis when nothing was judged.

    `watched` is drawn as a thin line: the interval that may be looked at after every vote.
    """
    if rate is None:
        return '<div class="ns-interval" role="img" aria-label="not judged yet"></div>'
    low, dot, high = (100 * min(1.0, value / end) for value in (interval.low, rate, interval.high))
    thin = ""
    if watched is not None:
        start, stop = (100 * min(1.0, value / end) for value in watched)
        thin = f'<i class="watched" style="left:{start:.2f}%;width:{stop - start:.2f}%"></i>'
    said = f"{percent(rate)}, between {percent(interval.low)} and {percent(interval.high)}"
    return (
        f'<div class="ns-interval{" live" if is_champion else ""}" role="img" aria-label="{said}" title="{said}">'
        f'{thin}<i class="span" style="left:{low:.2f}%;width:{high - low:.2f}%"></i>'
        f'<i class="dot" style="left:{dot:.2f}%"></i></div>'
    )


def picture(sha256: str | None, alt: str, px: int = 96, *, width: int) -> str:
    """A thumbnail through the image route; a hatched blank where nothing was drawn yet.

    A picture of `width` px that is shown larger than it is keeps its pixels sharp.
    """
    if sha256 is None:
        return f'<span class="ns-blank" style="width:{px}px;height:{px}px" title="not drawn yet"></span>'
    text, sharp = escape(alt, quote=True), " small" if width < px else ""
    return (
        f'<img class="ns-thumb{sharp}" src="{escape(image_url(sha256), quote=True)}" alt="{text}" title="{text}" '
        f'width="{px}" height="{px}" loading="lazy">'
    )
