"""Pieces of HTML for the space between Streamlit's own widgets."""

from collections.abc import Iterable
from typing import Any

import streamlit as st
from markupsafe import Markup

from feedback.statistics import Interval
from ui.web.templates import environment

_pieces: Any = environment.get_template("web/pieces.html").module


def head(title: str, *parts: str) -> Markup:
    """The top of a page: its name and what its figures are based on."""
    return _pieces.head(title, parts)


def data_line(*parts: str) -> Markup:
    """What figures are based on, or why there are none yet."""
    return _pieces.data_line(parts)


def verdict(sentence: str) -> Markup:
    """What figures come to, in a plain sentence above them."""
    return _pieces.verdict(sentence)


def alert(sentence: str) -> Markup:
    """One of our errors."""
    return _pieces.alert(sentence)


def prose(sentence: str) -> Markup:
    """A message of the command line as a page says it.

    >>> print(prose("no worker <runs>; `naysayer run` starts one"))
    No worker &lt;runs&gt;; <code>naysayer run</code> starts one
    """
    return _pieces.prose(sentence)


def axis_end(intervals: Iterable[Interval]) -> float:
    """Where the shared axis of shares ends: the first fifth that holds every interval.

    >>> axis_end([])
    1.0
    """
    highest = max((interval.high for interval in intervals), default=1.0)
    return next(end / 5 for end in range(1, 6) if end / 5 >= highest or end == 5)


def name_tab(*parts: str) -> None:
    """Gives the browser's tab a title, the most particular part first: "v3 · Versions · Naysayer"."""
    st.set_page_config(page_title=" · ".join((*parts, "Naysayer")))
