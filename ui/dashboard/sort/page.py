"""The page Sort: a folder of pictures from worst to best by the champion's check, and a cut that can be dragged.

It is a component with its own routes (`ui.dashboard.sort.routes`), so a cut moves without a rerun.
"""

from pathlib import Path

import streamlit as st

from ui.signin.powers import guard
from ui.web.pieces import head

PAGE = "Sort"
PARTS = Path(__file__).with_name("parts")
SHARED = Path(__file__).parents[1] / "pool" / "parts" / "asking.js"


def _read(*names: str) -> str:
    return "\n".join((PARTS / name).read_text(encoding="utf-8") for name in names)


_sort = st.components.v2.component(
    "naysayer_sort",
    html=_read("sort.html"),
    css=_read("sort.css"),
    js="\n".join([SHARED.read_text(encoding="utf-8"), _read("cut.js", "gallery.js", "acts.js", "sort.js")]),
)


@guard(PAGE)
def sort_page() -> None:
    """The folder that the address names, or those that were sorted before."""
    st.html(head(PAGE))
    _sort(key="sort")
