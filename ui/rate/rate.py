"""The rating page: one component that talks to the routes by itself, so that no vote reruns a script."""

import re
from pathlib import Path

import streamlit as st

from ui.rate.page_data import KEYS, LIMITS, coming_words, keycap, page_data, shortcut
from ui.rate.simple import simple_page
from ui.signin.powers import guard, require
from ui.web.templates import render

PAGE = "Rate"
PARTS = Path(__file__).with_name("page")
MODULES = (
    "storage",
    "outbox",
    "keys",
    "noted",
    "prompts",
    "sheet",
    "guidelines",
    "status",
    "queue",
    "pace",
    "history",
    "annotations",
    "swipes",
    "viewer",
    "one",
    "peek",
    "sweep",
    "rating",
)
"""In an order in which nothing is used before it is defined."""
IMPORT = re.compile(r"^import .*;\n", re.MULTILINE)
EXPORT = re.compile(r"^export (?!default )", re.MULTILINE)


def joined_script() -> str:
    """All modules of the page as one, because a component takes a single one."""
    texts = [(PARTS / f"{name}.js").read_text(encoding="utf-8") for name in MODULES]
    return EXPORT.sub("", IMPORT.sub("", "\n".join(texts)))


def page_html() -> str:
    """The page's HTML, with the keys that do something printed on its buttons."""
    return str(
        render("rate/page/rating.html", keys=KEYS, limits=LIMITS, keycap=keycap, shortcut=shortcut, coming=coming_words)
    )


rating_component = st.components.v2.component(
    "naysayer_rating",
    html=page_html(),
    css=(PARTS / "rating.css").read_text(encoding="utf-8"),
    js=joined_script(),
)


@guard(PAGE)
def rate_page() -> None:
    """Shows pictures, one at a time or in a grid, and takes the votes; with `?simple` without the component."""
    if "simple" in st.query_params:
        simple_page()
        return
    rating_component(key="rating", data=page_data(require(PAGE).name))
