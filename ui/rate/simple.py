"""The simple page: rating with Streamlit's own widgets, where the rating page cannot run. Slower, and just as blind."""

from datetime import datetime
from functools import partial
from typing import NamedTuple
from uuid import uuid4

import streamlit as st

from feedback.figures.summary import rating_state
from feedback.rate.guidelines import current_guidelines
from feedback.rate.queue import Shown, next_sound
from feedback.rate.terms import Terms
from feedback.rate.votes import Press, recent_votes, take_votes
from feedback.workers import is_worker_alive
from store.errors import NaysayerError
from store.layout import layout_of
from store.phrases import plural
from store.tables import Verdict, utc_now
from ui.rate.pace import pace_of
from ui.rate.page_data import coming_words, enlargement
from ui.signin.powers import callback, guard, require, store_of
from ui.web.pictures import rater_path
from ui.web.pieces import alert, data_line
from ui.web.process import settings
from ui.web.templates import markdown_html, render

PAGE = "Rate"
engine = partial(store_of, PAGE)
ON_SCREEN, NOTE = "simple-on-screen", "simple-note"
SIDE_PX = 384


class OnScreen(NamedTuple):
    """The picture on screen. Its request id makes repeated presses on it one vote."""

    rater: str
    image: Shown
    request_id: str
    shown_at: datetime


@guard(PAGE)
def simple_page() -> None:
    """One picture at a time with a button for each verdict."""
    st.html('<h1 class="ns-title">Rate pictures</h1>')
    rater = require(PAGE).name or st.text_input("Who is rating?", placeholder="Your name", width=320)
    if rater.strip():
        _rate_as(rater)


def _rate_as(rater: str) -> None:
    if guidelines := current_guidelines(engine()):
        with st.expander("Guidelines"):
            st.html(markdown_html(guidelines.text))
    today = rating_state(engine(), rater).progress.today
    st.html(data_line(f"{plural(today, 'answer')} today"))
    if note := st.session_state.pop(NOTE, ""):
        st.html(alert(note))
    on_screen = _on_screen(rater)
    if on_screen is None:
        st.text(f"You have seen everything. {coming_words(is_worker_alive(engine()))}")
        st.button("Look again")
    else:
        st.html(picture_html(on_screen.image))
        with st.container(horizontal=True):
            for verdict in (Verdict.reject, Verdict.keep, Verdict.skip):
                # Keyed by the request: a second press on the old button finds none and votes on nothing.
                key = f"{verdict} {on_screen.request_id}"
                st.button(verdict.value.capitalize(), key=key, on_click=_vote, args=(on_screen, verdict))
    for vote in recent_votes(engine(), rater, 1):
        last = OnScreen(rater, vote.picture, str(uuid4()), utc_now())
        st.button("Undo", key=f"undo {vote.picture.number}", on_click=_vote, args=(last, Verdict.undo))


def picture_html(image: Shown) -> str:
    """The prompt and the picture, in whole multiples of its size."""
    scale = enlargement(image, SIDE_PX)
    return render("rate/picture.html", image=image, scale=scale, url=rater_path(settings(), image.number))


def _on_screen(rater: str) -> OnScreen | None:
    known: OnScreen | None = st.session_state.get(ON_SCREEN)
    if known is not None and known.rater == rater:
        return known
    image = next_sound(engine(), layout_of(settings()), rater, Terms.of(settings()))
    on_screen = OnScreen(rater, image, str(uuid4()), utc_now()) if image else None
    st.session_state[ON_SCREEN] = on_screen
    return on_screen


@callback(PAGE)
def _vote(on_screen: OnScreen, verdict: Verdict) -> None:
    guidelines = current_guidelines(engine())
    press = Press(
        on_screen.request_id,
        on_screen.image.number,
        verdict,
        "simple",
        on_screen.shown_at,
        utc_now(),
        guidelines=guidelines.id if guidelines else None,
    )
    try:
        pace_of(settings()).take(on_screen.rater, 1)
        [receipt] = take_votes(engine(), on_screen.rater, [press], Terms.of(settings()))
        st.session_state[NOTE] = receipt.refused
    except NaysayerError as error:
        st.session_state[NOTE] = f"Nothing was recorded: {error}"
        return
    st.session_state.pop(ON_SCREEN, None)
