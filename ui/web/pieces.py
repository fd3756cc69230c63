"""Pieces of HTML for the space between Streamlit's own widgets."""

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from feedback.figures.summary import VersionRow
from ui.web.templates import environment

_pieces: Any = environment.get_template("web/pieces.html").module


def head(title: str, *parts: str) -> Markup:
    """The top of a page: its name and what its figures are based on."""
    return _pieces.head(title, parts)


def data_line(*parts: str) -> Markup:
    """What figures are based on, or why there are none yet."""
    return _pieces.data_line(parts)


def alert(sentence: str) -> Markup:
    """One of our errors."""
    return _pieces.alert(sentence)


def axis_end(rows: Sequence[VersionRow]) -> float:
    """Where the shared axis of thumbs-down rates ends: the first fifth that holds every interval.

    >>> axis_end([])
    1.0
    """
    highest = max((row.interval.high for row in rows if row.rate is not None), default=1.0)
    return next(end / 5 for end in range(1, 6) if end / 5 >= highest or end == 5)
