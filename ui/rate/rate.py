"""The rating page: one component that talks to the routes by itself, so that no vote reruns a script."""

from pathlib import Path

import streamlit as st

from ui.rate.simple import simple_page
from ui.signin.people import identify_viewer

PARTS = Path(__file__).with_name("page")
ROOMS = ("outbox", "keys", "words", "hand", "pace", "past", "tools", "one", "sweep", "rating")


def _text(*names: str) -> str:
    return "\n".join((PARTS / name).read_text(encoding="utf-8") for name in names)


desk = st.components.v2.component(
    "naysayer_rating",
    html=_text("rating.html"),
    css=_text("rating.css"),
    js=_text(*(f"{room}.js" for room in ROOMS)),
)


def rate_page() -> None:
    """Shows pictures, one at a time or in a grid, and takes the votes; with `?simple` without the component."""
    if "simple" in st.query_params:
        simple_page()
        return
    desk(key="desk", data={"rater": identify_viewer().name})
