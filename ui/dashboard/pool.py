"""The pool page: every judged picture by prompt, reason, version, rater, agreement and date; open one, take it out."""

from collections.abc import Sequence
from datetime import date
from enum import StrEnum
from html import escape
from typing import TypeVar
from urllib.parse import urlencode

import streamlit as st

from feedback.figures.summary import version_rows
from feedback.pool.curation import Opened, SeenVote, curate, open_image
from feedback.pool.gallery import Accord, Filter, Thumb, Which, gallery, slice_rate
from feedback.rate.controls import make_control
from feedback.rate.raters import rater_names
from store.display import SMALL_PX
from store.errors import NaysayerError
from store.tables import PoolAction, Reason, Role, Verdict
from ui.signin.people import acting
from ui.web.phrases import percent, plural
from ui.web.pictures import image_url
from ui.web.pieces import alert, data_line, head, moment, picture
from ui.web.process import engine, settings

SIZE = 60
THUMB_PX = 112
WORDS = {Verdict.reject: "rejected", Verdict.keep: "kept", Verdict.skip: "skipped", Verdict.undo: "took it back"}
Word = TypeVar("Word", bound=StrEnum)


def pool_page() -> None:
    """The gallery, or one picture of it."""
    try:
        if said := st.session_state.pop("said", None):
            st.toast(said)
        number = st.query_params.get("image", "")
        if number.isascii() and number.isdigit():
            _show_image(int(number))
        else:
            _show_gallery()
    except NaysayerError as error:
        st.html(alert(str(error)))


# ---- the gallery --------------------------------------------------------------------------------------------------


def _show_gallery() -> None:
    top = st.container()
    wanted = _ask()
    page = _number("page")
    thumbs, total = gallery(engine(), wanted, page=page, size=SIZE)
    if page and not thumbs:
        st.query_params.pop("page", None)
        thumbs, total = gallery(engine(), wanted, size=SIZE)
        page = 0
    with top:
        st.html(head("Pool", f"{plural(total, 'picture')}: {wanted.which.value}", *_slice_words()))
    st.html(gallery_html(thumbs, _params()))
    _turn(page, total)


def _ask() -> Filter:
    """The filter's widgets. What was chosen stands in the address, so that it survives opening a picture."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        which = st.segmented_control("Show", list(Which), default=_word("which", Which, Which.rejects), key="w-which")
        prompt = st.text_input("Prompt has", _text("prompt"), max_chars=200, key="w-prompt", width=200)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        versions = [None, *(row.number for row in version_rows(engine()))]
        version = st.selectbox(
            "Version",
            versions,
            index=_index(versions, _maybe("version")),
            format_func=lambda n: "any" if n is None else f"v{n}",
            key="w-version",
            width=110,
        )
        reasons = [None, *Reason]
        reason = st.selectbox(
            "Reason",
            reasons,
            index=_index(reasons, _word("reason", Reason, None)),
            format_func=lambda word: "any" if word is None else word.value,
            key="w-reason",
            width=170,
        )
        names = ["", *rater_names(engine())]
        rater = st.selectbox(
            "Rater",
            names,
            index=_index(names, _text("rater")),
            format_func=lambda name: name or "any",
            key="w-rater",
            width=180,
        )
        accords = list(Accord)
        accord = st.selectbox(
            "Agreement", accords, index=_index(accords, _word("accord", Accord, Accord.any)), key="w-accord", width=150
        )
        since = st.date_input("Voted from", _date("since"), key="w-since", width=165)
        until = st.date_input("to", _date("until"), key="w-until", width=165)
    wanted = Filter(which or Which.rejects, prompt, reason, version, rater or "", accord, since, until)
    _keep_in_address(wanted)
    return wanted


def _keep_in_address(wanted: Filter) -> None:
    chosen = {
        name: str(value)
        for (name, value), usual in zip(wanted._asdict().items(), Filter(), strict=True)
        if value != usual
    }
    if "which" in chosen:
        chosen["which"] = wanted.which.value
    if chosen != {name: value for name, value in _params().items() if name != "page"}:
        st.query_params.from_dict(chosen)  # another filter begins at the first page


def gallery_html(thumbs: Sequence[Thumb], params: dict[str, str]) -> str:
    """The pictures as links to themselves, each with its votes."""
    if not thumbs:
        return data_line("no picture passes this filter")
    items = "".join(_thumb(thumb, params) for thumb in thumbs)
    return f'<ul class="ns-gallery">{items}</ul>'


def _thumb(thumb: Thumb, params: dict[str, str]) -> str:
    words = f"{plural(thumb.rejects, 'reject')}, {plural(thumb.keeps, 'keep')}"
    link = escape("?" + urlencode(params | {"image": str(thumb.image_id)}), quote=True)
    return (
        f'<li><a href="{link}" target="_self">{picture(thumb.sha256, thumb.prompt, THUMB_PX, width=thumb.width)}</a>'
        f'<small><span title="{words}"><b class="no">{thumb.rejects}</b> <b class="yes">{thumb.keeps}</b></span>'
        f"<span>v{thumb.version}</span></small></li>"
    )


def _turn(page: int, total: int) -> None:
    pages = max(1, -(-total // SIZE))
    if pages == 1:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button("Newer", disabled=page == 0):
            st.query_params["page"] = str(page - 1)
            st.rerun()
        st.html(data_line(f"page {page + 1:,} of {pages:,}"), width="content")
        if st.button("Older", disabled=page + 1 >= pages):
            st.query_params["page"] = str(page + 1)
            st.rerun()


def _slice_words() -> list[str]:
    if settings().queue_order == "shuffled":
        return []
    rate = slice_rate(engine(), settings().unbiased_share)
    if not rate.judged:
        return []
    low, high = (percent(value) for value in rate.interval)
    return [f"random slice: {percent(rate.rejected / rate.judged)} thumbs down ({low} to {high}, n {rate.judged:,})"]


# ---- one picture --------------------------------------------------------------------------------------------------


def _show_image(number: int) -> None:
    opened = open_image(engine(), number)
    back = escape("?" + urlencode({k: v for k, v in _params().items() if k != "image"}), quote=True)
    st.html(f'<p class="ns-back"><a href="{back}" target="_self">← Pool</a></p>' + opened_html(opened))
    with st.container(horizontal=True):
        if opened.is_barred and st.button("Put it back into the pool…", type="primary"):
            _curate(number, PoolAction.restore)
        if not opened.is_barred and st.button("Take it out of the pool…", type="primary"):
            _curate(number, PoolAction.exclude)
        if st.button("Make a control of it…"):
            _control(number)


def opened_html(opened: Opened) -> str:
    """The picture with the marks on it, its votes, and what it trained."""
    image = opened.image
    rows = "".join(_vote(vote) for vote in opened.votes)
    trained = ", ".join(
        f"v{number} (as a {'reject' if role is Role.reject else 'keep'})" for number, role in opened.trained
    )
    facts = {
        "picture": f"{image.id}, {image.width} × {image.height}, drawn by v{image.version}, seed {image.seed}",
        "trained": trained or "no version yet",
        "pool": "taken out by hand" if opened.is_barred else "follows the votes",
    }
    lines = "".join(f"<dt>{name}</dt><dd>{escape(value)}</dd>" for name, value in facts.items())
    decided = "".join(
        f"<li><span>{'Taken out' if event.action is PoolAction.exclude else 'Put back'} by {escape(event.by)} "
        f"<q>{escape(event.reason)}</q></span>{moment(event.created_at)}</li>"
        for event in opened.events
    )
    return (
        head(opened.prompt, plural(len(opened.votes), "vote"))
        + f'<div class="ns-opened"><div>{marked_html(opened)}</div><div><dl>{lines}</dl>'
        f'<ul class="ns-events">{rows or "<li>No votes.</li>"}</ul>'
        + (f'<h2>By hand</h2><ul class="ns-events">{decided}</ul>' if decided else "")
        + "</div></div>"
    )


def marked_html(opened: Opened) -> str:
    """The picture with a numbered ring at each mark of a current vote."""
    marks = [(mark, vote) for vote in opened.votes if vote.is_current for mark in vote.marks]
    rings = "".join(
        f'<i style="left:{100 * min(1.0, max(0.0, x)):.2f}%;top:{100 * min(1.0, max(0.0, y)):.2f}%" '
        f'title="{escape(f"marked by {vote.rater}", quote=True)}"></i>'
        for (x, y), vote in marks
    )
    text = escape(opened.prompt + (f", with {plural(len(marks), 'mark')}" if marks else ""), quote=True)
    image = opened.image
    small = ' class="small"' if max(image.width, image.height) <= SMALL_PX else ""
    return (
        f'<div class="ns-marked"><img{small} src="{escape(image_url(image.sha256), quote=True)}" alt="{text}" '
        f'width="{image.width}" height="{image.height}">{rings}</div>'
    )


def _vote(vote: SeenVote) -> str:
    notes = [*vote.reasons, *([f"{plural(len(vote.marks), 'mark')}"] if vote.marks else [])]
    notes += [] if vote.is_current else ["changed later"]
    notes += [] if vote.is_counted else ["not counted: rater excluded"]
    more = f" <small>{escape(', '.join(notes))}</small>" if notes else ""
    kind = {Verdict.reject: "no", Verdict.keep: "yes"}.get(vote.verdict, "")
    past = "" if vote.is_current and vote.is_counted else ' class="past"'
    return (
        f'<li{past}><span>{escape(vote.rater)} <b class="{kind}">{WORDS[vote.verdict]}</b>{more}</span>'
        f"{moment(vote.vote.received_at)}</li>"
    )


@st.dialog("Pool")
def _curate(number: int, action: PoolAction) -> None:
    is_out = action is PoolAction.exclude
    st.text("No later version trains on it." if is_out else "Later versions train on it again, as its votes say.")
    with st.form("curate", border=False):
        reason = st.text_input("Reason", placeholder="Kept in the history", max_chars=200)
        is_sure = st.form_submit_button("Take it out" if is_out else "Put it back", type="primary")
    if is_sure:
        _do(lambda: curate(engine(), number, action, by=acting(), reason=reason), "taken out" if is_out else "put back")


@st.dialog("Control")
def _control(number: int) -> None:
    st.text("The picture is mixed into the queue, and raters' answers are held against this one:")
    answer = st.segmented_control("Right answer", [Verdict.reject, Verdict.keep], default=Verdict.reject)
    if st.button("Make the control", type="primary", disabled=answer is None) and answer is not None:
        _do(lambda: make_control(engine(), number, answer, by=acting()), "a control now")


def _do(act, said: str) -> None:
    try:
        act()
    except NaysayerError as error:
        st.html(alert(str(error)))
        return
    st.session_state["said"] = f"The picture is {said}"
    st.rerun()


# ---- the address --------------------------------------------------------------------------------------------------


def _params() -> dict[str, str]:
    return {name: value for name, value in st.query_params.items() if name in (*Filter._fields, "page")}


def _text(name: str) -> str:
    return st.query_params.get(name, "")[:200]


def _number(name: str) -> int:
    return _maybe(name) or 0


def _maybe(name: str) -> int | None:
    value = _text(name)
    return int(value) if value.isascii() and value.isdigit() and len(value) < 9 else None


def _word(name: str, kind: type[Word], usual: Word | None) -> Word | None:
    return next((word for word in kind if word.value == _text(name)), usual)


def _date(name: str) -> date | None:
    try:
        return date.fromisoformat(_text(name))
    except ValueError:
        return None


def _index(options: Sequence[object], value: object) -> int:
    return options.index(value) if value in options else 0
