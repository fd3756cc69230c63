"""The cards of now, for a page that draws itself again: who challenges the champion, and whom the champion replaced."""

from collections.abc import Sequence

import streamlit as st
from sqlalchemy import Engine

from feedback.gate.advice import rule_in_force
from feedback.policy import promotion_mode
from feedback.sample.evaluation import count_pairs
from ui.dashboard.versions.card import compared_now, show_card
from ui.dashboard.versions.dialogs import open_dialog
from ui.signin.people import MAY_OPEN, identify_viewer
from ui.web.dialog import show_done
from ui.web.pieces import data_line
from ui.web.process import settings

PRESSED = "pressed on a card"


def show_cards(engine: Engine, pairs: Sequence[tuple[int, int]], first: int = 0) -> None:
    """A card for each pair of versions; `first` is the place of the first one among the cards of the page."""
    has_acts = "Versions" in MAY_OPEN[identify_viewer().role]
    for place, (new, old) in enumerate(pairs, first):
        pressed = show_card(compared_now(engine, new, old), f"card {place}", has_acts=has_acts)
        if pressed:
            st.session_state[PRESSED] = pressed
            st.rerun()  # a dialog that a part of the page opened would close when that part is drawn again


def show_rule(engine: Engine) -> None:
    """Who promotes, and by what."""
    st.html(data_line(rule_in_force(promotion_mode(settings()), count_pairs(engine))))


def open_pressed() -> None:
    """The dialog of the button that was pressed on a card."""
    if pressed := st.session_state.pop(PRESSED, None):
        open_dialog(*pressed)
    show_done()
