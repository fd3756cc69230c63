"""The page Pool: every judged picture, filtered; open one, take many out, overrule a verdict.

It is a component with its own routes (`ui.dashboard.pool.routes`), so a picture opens without a rerun.
"""

from pathlib import Path

import streamlit as st

from ui.signin.powers import guard
from ui.web.pieces import head

PAGE = "Pool"
PARTS = Path(__file__).with_name("parts")


def _read(*names: str) -> str:
    return "\n".join((PARTS / name).read_text(encoding="utf-8") for name in names)


_pool = st.components.v2.component(
    "naysayer_pool",
    html=_read("pool.html"),
    css=_read("pool.css"),
    js=_read("asking.js", "shared.js", "viewer.js", "decisions.js", "pool.js"),
)


@guard(PAGE)
def pool_page() -> None:
    """The gallery, and in it the picture that the address names."""
    st.html(head(PAGE))
    _pool(key="pool")
