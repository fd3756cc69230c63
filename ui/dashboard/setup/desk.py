"""What the parts of the page share: its name, its store, how an action is done and what it says."""

from collections.abc import Callable, Sequence
from functools import partial
from math import ceil
from typing import NamedTuple, NoReturn

import streamlit as st
from markupsafe import Markup

from store.errors import NaysayerError
from ui.signin.powers import store_of
from ui.web.pieces import alert
from ui.web.templates import render

PAGE = "Setup"
SAID = "setup said"
engine = partial(store_of, PAGE)
PART = "part"
Action = Callable[[], Sequence[str]]
"""Does something and returns what it did, in sentences."""


class Said(NamedTuple):
    """What was done last, in sentences, and in which part of the page; or why nothing was done."""

    sentences: list[str]
    is_refusal: bool
    part: str | None


def about(words: str) -> None:
    """What a part is for."""
    st.html(render("dashboard/setup/html/about.html", about=words))


def say(*sentences: str, is_refusal: bool = False) -> None:
    """Keeps what was done for the next drawing of the page, where it stays until something else is done."""
    st.session_state[SAID] = Said([one for one in sentences if one], is_refusal, st.session_state.get(PART))


def show_said(part: str) -> None:
    """Shows what was done last in this part."""
    said = st.session_state.get(SAID)
    if said is not None and said.sentences and said.part in (part, None):
        st.html(said_html(said))


def said_html(said: Said) -> Markup:
    """What was done, a line each, or why nothing was."""
    if said.is_refusal:
        return alert(" ".join(said.sentences))
    return render("dashboard/setup/html/said.html", sentences=said.sentences)


def refuse(sentence: str) -> NoReturn:
    """Draws the page again with why nothing was done; what was typed stays where it is."""
    say(sentence, is_refusal=True)
    st.rerun()


def act(action: Action) -> None:
    """Does what a button of a list asks for, and draws the page again with what was done, or why nothing was."""
    try:
        say(*action())
    except NaysayerError as error:
        refuse(str(error))
    st.rerun()


def turn(key: str, page: int, found: int, size: int) -> None:
    """The buttons that turn the pages of a long list; `key` holds the page in the session."""
    pages = ceil(found / size)
    if pages < 2:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button("Previous", disabled=page == 0):
            st.session_state[key] = page - 1
            st.rerun()
        st.text(f"page {page + 1} of {pages}")
        if st.button("Next", disabled=page + 1 >= pages):
            st.session_state[key] = page + 1
            st.rerun()


def ask(label: str, action: Action, *, is_ready: bool = True) -> None:
    """The last two buttons of a dialog: do it, or leave everything as it is. Our errors are shown in the dialog."""
    with st.container(horizontal=True, horizontal_alignment="right"):
        if st.button("Cancel"):
            st.rerun()
        is_pressed = st.button(label, type="primary", disabled=not is_ready)
    if not is_pressed:
        return
    try:
        say(*action())
    except NaysayerError as error:
        st.html(alert(str(error)))
    else:
        st.rerun()
