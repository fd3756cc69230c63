"""Colours of the charts that Vega draws: legible in both themes, and no red, which means Reject."""

from typing import Any, NamedTuple

import streamlit as st


class Ink(NamedTuple):
    """Colours of one theme. Text has a contrast of 4.5 or more."""

    text: str
    line: str
    first: str
    second: str


LIGHT = Ink("#5f594f", "#e4dfd6", "#2f5d8a", "#8a6212")
DARK = Ink("#b5ada1", "#35322d", "#8db8e0", "#e3c272")


def ink() -> Ink:
    """The colours of the theme that is in use."""
    return DARK if st.context.theme.type == "dark" else LIGHT


def draw(chart: Any) -> None:
    """Draws an Altair chart in the colours of the theme."""
    used = ink()
    text = {"labelColor": used.text, "titleColor": used.text, "labelFontSize": 12, "titleFontSize": 12}
    dressed = chart.configure_axis(**text, gridColor=used.line, domainColor=used.text, tickColor=used.text)
    st.altair_chart(dressed.configure_legend(**text).configure_view(strokeWidth=0), width="stretch")
