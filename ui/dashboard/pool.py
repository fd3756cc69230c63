"""The pool page: every judged picture by prompt, reason, version, rater, agreement and date; open one, take it out."""

from collections.abc import Mapping, Sequence
from datetime import date
from enum import StrEnum
from functools import partial
from typing import NamedTuple, TypeVar

import streamlit as st
from markupsafe import Markup

from feedback.figures.summary import version_rows
from feedback.pool.curation import Opened, SeenVote, curate, open_image
from feedback.pool.gallery import Accord, Filter, Gallery, Which, gallery
from feedback.rate.controls import make_control
from feedback.rate.display import SMALL_PX
from feedback.rate.raters import rater_names
from store.phrases import plural
from store.tables import PoolAction, Reason, Verdict
from ui.signin.people import viewer_name
from ui.signin.powers import dialog, guard, store_of
from ui.web.dialog import confirm, run_action, show_done
from ui.web.phrases import percent
from ui.web.pieces import data_line, head
from ui.web.templates import render

PAGE = "Pool"
SIZE = 60
THUMB_PX = 112
VERDICTS = {Verdict.reject: "rejected", Verdict.keep: "kept", Verdict.skip: "skipped", Verdict.undo: "undone"}
LOOK_AGAIN = (
    "The newest version's check was not trained on these votes and expects the opposite: below each is its chance of a "
    "reject. Another rater, or the same one, is asked again without being told; only the answer can change anything."
)
Word = TypeVar("Word", bound=StrEnum)
engine = partial(store_of, PAGE)


@guard(PAGE)
def pool_page() -> None:
    """The gallery, or one picture of it."""
    show_done()
    number = st.query_params.get("image", "")
    if number.isascii() and number.isdigit():
        _show_image(int(number))
    else:
        _show_gallery()


# ---- the gallery --------------------------------------------------------------------------------------------------


def _show_gallery() -> None:
    top = st.container()
    wanted = _ask()
    page = _number("page")
    found = gallery(engine(), wanted, page=page, size=SIZE)
    if page and not found.thumbs:
        st.query_params.pop("page", None)
        found = gallery(engine(), wanted, size=SIZE)
        page = 0
    with top:
        st.html(head("Pool", found_words(found, wanted)))
    if found.doubts:
        st.html(data_line(LOOK_AGAIN))
    st.html(gallery_html(found, _params()))
    _turn(page, found)


def _ask() -> Filter:
    """The filter that the widgets say; it is kept in the address, so that it survives opening a picture."""
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
        st.query_params.from_dict(chosen)  # a new filter starts at the first page


def gallery_html(found: Gallery, params: Mapping[str, str]) -> Markup:
    """The pictures as links that keep the filter, each with its votes, and with the vote that looks like a slip."""
    return render(
        "dashboard/html/gallery.html",
        thumbs=found.thumbs,
        doubts=found.doubts,
        verdicts=VERDICTS,
        params=params,
        px=THUMB_PX,
    )


def found_words(found: Gallery, wanted: Filter) -> str:
    """How many pictures pass the filter."""
    return f"{'more than ' if found.is_more else ''}{plural(found.total, 'picture')}: {wanted.which.value}"


def _turn(page: int, found: Gallery) -> None:
    pages = max(1, -(-found.total // SIZE))
    if pages == 1:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button("Newer", disabled=page == 0):
            st.query_params["page"] = str(page - 1)
            st.rerun()
        st.html(data_line(f"page {page + 1:,} of {'more than ' if found.is_more else ''}{pages:,}"), width="content")
        if st.button("Older", disabled=page + 1 >= pages):
            st.query_params["page"] = str(page + 1)
            st.rerun()


# ---- one picture --------------------------------------------------------------------------------------------------


def _show_image(number: int) -> None:
    opened = open_image(engine(), number)
    st.html(opened_html(opened, _params()))
    with st.container(horizontal=True):
        if opened.is_taken_out and st.button("Put it back into the pool…", type="primary"):
            _curate(number, PoolAction.restore)
        if not opened.is_taken_out and st.button("Take it out of the pool…", type="primary"):
            _curate(number, PoolAction.exclude)
        if st.button("Use it as a control…"):
            _control(number)


class Ring(NamedTuple):
    """A mark of a current vote: shares of the picture's width and height, within its frame."""

    x: float
    y: float
    rater: str


def opened_html(opened: Opened, params: Mapping[str, str]) -> Markup:
    """The picture with a ring at each mark, its votes, and what it trained. `params` leads back to the gallery."""
    return render(
        "dashboard/html/opened.html",
        opened=opened,
        params=params,
        marks=rings(opened.votes),
        is_small=max(opened.image.width, opened.image.height) <= SMALL_PX,
        verdicts=VERDICTS,
        notes_of=notes_of,
        check=check_words(opened),
    )


def check_words(opened: Opened) -> list[str]:
    """What a version's check says of a picture, and of the tries before the one that was kept."""
    words, drew = [], f"v{opened.image.version}"
    if found := opened.scored:
        words += (
            []
            if found.chance is None
            else [f"v{found.by}'s check expects a reject with a chance of {percent(found.chance)}"]
        )
        words.append(f"score {found.score:.3f}")
        if found.others:
            share = percent(found.lower / found.others)
            words[-1] += f", higher than {share} of {plural(found.others, 'other picture')} of {drew}"
    if len(opened.tries) > 1:
        [kept] = [one.number for one in opened.tries if one.is_kept]
        scores = ", ".join(f"{one.score:.3f}" for one in opened.tries)
        words.append(f"try {kept} of {len(opened.tries)} was kept (scores {scores})")
    return words


def rings(votes: Sequence[SeenVote]) -> list[Ring]:
    """The marks of the current votes."""
    marks = [(mark, vote.rater) for vote in votes if vote.is_current for mark in vote.marks]
    return [Ring(_within(x), _within(y), rater) for (x, y), rater in marks]


def _within(share: float) -> float:
    return min(1.0, max(0.0, share))


def notes_of(vote: SeenVote) -> list[str]:
    """What is said beside a vote: reasons, marks, and why it does not count."""
    notes = [*vote.reasons, *([plural(len(vote.marks), "mark")] if vote.marks else [])]
    notes += [] if vote.is_current else ["changed later"]
    return notes + ([] if vote.is_counted else ["not counted: rater excluded"])


@dialog(PAGE, "Pool")
def _curate(number: int, action: PoolAction) -> None:
    is_out = action is PoolAction.exclude
    st.text("No later version trains on it." if is_out else "Later versions train on it again, as its votes say.")

    def act(reason: str) -> str:
        curate(engine(), number, action, by=viewer_name(), reason=reason)
        return "The picture is taken out" if is_out else "The picture is put back"

    confirm("Take it out" if is_out else "Put it back", act)


@dialog(PAGE, "Control")
def _control(number: int) -> None:
    st.text("The picture is mixed into the queue, and raters' votes are compared with this answer:")
    answer = st.segmented_control("Right answer", [Verdict.reject, Verdict.keep], default=Verdict.reject)

    def act() -> str:
        make_control(engine(), number, answer or Verdict.reject, by=viewer_name())
        return "The picture is now a control"

    if st.button("Make the control", type="primary", disabled=answer is None):
        run_action(act)


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
