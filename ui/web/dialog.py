"""Dialogs that change something: ask for a reason, do it, and say so when the page is drawn again."""

from collections.abc import Callable

import streamlit as st

from store.errors import NaysayerError
from ui.web.pieces import alert

DONE = "done"


def confirm(label: str, action: Callable[[str], str], *, is_final: bool = False) -> None:
    """Asks for a reason; runs the action with it when the button `label` is pressed. Cancel closes the dialog.

    The button of what cannot be undone (`is_final`) looks different.
    """
    with st.form("reason", border=False):
        reason = st.text_input("Reason", placeholder="Needed; kept in the history", max_chars=200).strip()
        with st.container(horizontal=True):
            is_pressed = st.form_submit_button(label, type="primary", key="final" if is_final else None)
            is_cancelled = st.form_submit_button("Cancel")
    if is_cancelled:
        st.rerun()
    if is_pressed and reason:
        run_action(lambda: action(reason))
    elif is_pressed:
        st.html(alert("Give a reason in a few words; it is kept in the history."))


def run_action(action: Callable[[], str]) -> None:
    """Runs the action and draws the page again with the sentence that it returns; shows our errors in the dialog.

    The sentence is rendered as Markdown: it may hold no words from outside.
    """
    try:
        st.session_state[DONE] = action()
    except NaysayerError as error:
        st.html(alert(str(error)))
        return
    st.rerun()


def show_done() -> None:
    """Shows once what the last action did."""
    if sentence := st.session_state.pop(DONE, None):
        st.toast(sentence)
