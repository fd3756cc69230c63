"""What is wrong with the versions, above every page that speaks of them."""

from collections.abc import Callable

import streamlit as st

from feedback.versions import damaged_versions
from ui.signin.powers import guard, store_of
from ui.web.pieces import alert


def under_warnings(page: str, draw: Callable[[], None]) -> Callable[[], None]:
    """Draws the page below a sentence for each version that is not drawn with because its files are damaged."""

    @guard(page)
    def draw_both() -> None:
        for version in damaged_versions(store_of(page)):
            st.html(alert(version.damage))
        draw()

    return draw_both
