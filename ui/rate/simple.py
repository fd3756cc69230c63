"""Rating with Streamlit's own widgets, where the fast page cannot run: slower, just as blind, one vote a press."""

from datetime import datetime
from html import escape
from typing import NamedTuple
from uuid import uuid4

import streamlit as st

from feedback.figures.summary import desk_state
from feedback.policy import rejects_needed
from feedback.rate.queue import Shown, next_images
from feedback.rate.terms import Terms
from feedback.rate.votes import Press, recent_votes, record_votes
from store.errors import NaysayerError
from store.tables import Verdict, utc_now
from ui.signin.people import identify_viewer
from ui.web.phrases import plural
from ui.web.pictures import image_url
from ui.web.pieces import alert, data_line
from ui.web.process import engine, settings

SHOWN, NOTE = "simple-shown", "simple-note"
SIDE_PX = 384


class Showing(NamedTuple):
    """The picture on screen; its request id makes every press on it one vote."""

    rater: str
    image: Shown
    request_id: str
    shown_at: datetime


def simple_page() -> None:
    """One picture at a time with a button for each verdict."""
    rater = identify_viewer().name or st.text_input("Who is rating?", placeholder="Your name", width=320)
    try:
        if rater.strip():
            _desk(rater)
    except NaysayerError as error:
        st.html(alert(str(error)))


def _desk(rater: str) -> None:
    st.html(
        data_line(f"{plural(desk_state(engine(), rater, rejects_needed(settings())).progress.today, 'vote')} today")
    )
    if note := st.session_state.pop(NOTE, ""):
        st.html(alert(note))
    showing = _showing(rater)
    if showing is None:
        st.text("You have seen everything. New pictures are being drawn.")
        st.button("Look again")
    else:
        st.html(picture_html(showing.image))
        with st.container(horizontal=True):
            for verdict in (Verdict.reject, Verdict.keep, Verdict.skip):
                # Keyed by the request: a second press on the old button finds none and votes on nothing.
                key = f"{verdict} {showing.request_id}"
                st.button(verdict.value.capitalize(), key=key, on_click=_vote, args=(showing, verdict))
    for image, _ in recent_votes(engine(), rater, 1):
        undone = Showing(rater, image, str(uuid4()), utc_now())
        st.button("Undo", key=f"undo {image.image_id}", on_click=_vote, args=(undone, Verdict.undo))


def picture_html(image: Shown) -> str:
    """The prompt and the picture, in whole multiples of its size."""
    scale, prompt = max(1, SIDE_PX // max(image.width, image.height)), escape(image.prompt, quote=True)
    return (
        f'<p class="ns-verdict">{prompt}</p><img src="{escape(image_url(image.sha256), quote=True)}" alt="{prompt}" '
        f'width="{image.width * scale}" height="{image.height * scale}" '
        f'style="max-width:100%;height:auto;image-rendering:{"pixelated" if scale > 1 else "auto"}">'
    )


def _showing(rater: str) -> Showing | None:
    known: Showing | None = st.session_state.get(SHOWN)
    if known is not None and known.rater == rater:
        return known
    images = next_images(engine(), rater, Terms.of(settings()), count=1)
    showing = Showing(rater, images[0], str(uuid4()), utc_now()) if images else None
    st.session_state[SHOWN] = showing
    return showing


def _vote(showing: Showing, verdict: Verdict) -> None:
    press = Press(showing.request_id, showing.image.image_id, verdict, "simple", showing.shown_at, utc_now())
    try:
        [receipt] = record_votes(engine(), showing.rater, [press], Terms.of(settings()))
        st.session_state[NOTE] = receipt.refused
    except NaysayerError as error:
        st.session_state[NOTE] = f"Nothing was recorded: {error}"
        return
    st.session_state.pop(SHOWN, None)
