"""The playground: one prompt and the same seeds, two versions, a strength each, side by side. The worker draws.

What was typed and chosen stands in the address, so that a link, a reload or a look at another page keeps it.
"""

from collections.abc import Sequence
from functools import partial

import streamlit as st

from feedback.figures.summary import VersionRow, version_rows
from feedback.gate.proposal import at_strength
from feedback.retrain.progress import retrain_now
from feedback.retrain.stages import WAIT, left_words
from feedback.sample.requests import MOST_SEEDS, DrawRequest, Side, ask_drawing, task
from feedback.succession import PLAIN
from feedback.versions import get_version
from feedback.workers import is_worker_alive, list_workers, who_has_device
from store.tables import Task, TaskKind
from ui.dashboard.playground.drawn import ENDED, DrawnBy, Proposed, show_drawn
from ui.dashboard.playground.propose import confirm_proposal
from ui.dashboard.playground.vocabulary import EXAMPLES, known_sentence, unknown_sentence, unknown_words
from ui.signin.powers import callback, fragment, guard, store_of
from ui.web.dialog import show_done
from ui.web.pieces import alert, data_line, head, prose
from ui.words import NO_VERSION

PAGE = "Playground"
ASKED, HELD, EXAMPLE = "drawing", "held", "example"
WEAKEST, STRONGEST, STEP = 0.25, 10.0, 0.25
GONE = "That drawing no longer exists; press Draw again."
engine = partial(store_of, PAGE)


@guard(PAGE)
def playground_page() -> None:
    """What to draw, and what came of it."""
    rows = version_rows(engine())
    st.html(head("Playground", "the same prompt and seeds by two versions", "nobody rates it, and it trains nothing"))
    if not rows:
        st.html(data_line(prose(NO_VERSION)))
        return
    with st.form("ask", border=False), st.container(horizontal=True, vertical_alignment="bottom"):
        prompt = st.text_input(
            "Prompt", key="prompt", bind="query-params", max_chars=2000, placeholder=EXAMPLES[0]
        ).strip()
        is_asked = st.form_submit_button("Draw", type="primary")
    is_meant = _check(prompt, is_builtin=get_version(engine(), PLAIN).base_model == "builtin", is_asked=is_asked)
    sides, seeds = _choose(rows)
    if is_meant:
        _ask(DrawRequest(prompt, seeds, sides))
    _show_asked()
    show_done()


def _check(prompt: str, *, is_builtin: bool, is_asked: bool) -> bool:
    """Whether to draw now. What the built-in model does not know is said first, and asked once."""
    unknown = unknown_words(prompt) if is_builtin else []
    if is_asked:
        st.session_state[HELD] = bool(unknown)
    is_held = bool(unknown) and st.session_state.get(HELD, False)
    if is_asked and not prompt:
        st.html(alert("Write what to draw, then press Draw."))
    if is_held:
        st.html(alert(unknown_sentence(unknown)))
    is_meant = is_held and st.button("Draw it anyway")
    if is_builtin and (is_held or not prompt):
        _show_vocabulary()
    if is_meant:
        st.session_state[HELD] = False
    return is_meant or (is_asked and bool(prompt) and not unknown)


def _show_vocabulary() -> None:
    st.html(data_line(known_sentence()))
    st.pills("Try one of these", EXAMPLES, key=EXAMPLE, on_change=_take_example)


@callback(PAGE)
def _take_example() -> None:
    st.session_state["prompt"], st.session_state[EXAMPLE] = st.session_state[EXAMPLE], None
    st.session_state[HELD] = False


def _choose(rows: Sequence[VersionRow]) -> tuple[list[Side], list[int]]:
    """The two sides and the seeds."""
    numbers = [row.number for row in rows]
    names = {row.number: " · ".join([f"v{row.number}", *row.aliases]) for row in rows}
    usual = _usual(rows)
    left, right, narrow = st.columns([5, 5, 3], gap="medium")
    with left:
        first = _choose_side("left", numbers, numbers.index(usual[0]), names)
    with right:
        sides = [first, _choose_side("right", numbers, numbers.index(usual[1]), names)]
    with narrow:
        return sides, _choose_seeds()


def _usual(rows: Sequence[VersionRow]) -> tuple[int, int]:
    """The champion and its challenger; without one, the plain base and the champion."""
    by_alias = {alias: row.number for row in rows for alias in row.aliases}
    live = by_alias.get("champion", PLAIN)
    return (live, by_alias["challenger"]) if "challenger" in by_alias else (PLAIN, live)


def _choose_side(place: str, numbers: Sequence[int], usual: int, names: dict[int, str]) -> Side:
    """A version and its strength; each version's own to begin with."""
    number = st.selectbox(place.capitalize(), numbers, usual, lambda n: names[n], key=place, bind="query-params")
    if number == PLAIN:
        st.html(data_line("the plain base has no strength"))
        return Side(PLAIN)
    own = get_version(engine(), number).strength
    strength = st.slider(
        f"Strength of v{number}, its own is {own:g}",
        WEAKEST,
        max(STRONGEST, own),
        own,
        STEP,
        key=f"{place}_strength_{number}",
        bind="query-params",
    )
    return Side(number, strength)


def _choose_seeds() -> list[int]:
    first = st.number_input("First seed", 0, 2**32 - MOST_SEEDS, 7, 1, key="seed", bind="query-params")
    count = st.segmented_control(
        "Seeds", range(1, MOST_SEEDS + 1), default=2, key="seeds", bind="query-params", required=True
    )
    return [int(first) + step for step in range(count or 1)]


def _ask(request: DrawRequest) -> None:
    number = ask_drawing(engine(), request)
    st.session_state[ASKED] = number
    st.query_params[ASKED] = str(number)


def _show_asked() -> None:
    """What was asked for last: drawn again by itself while it comes, once when it is there."""
    said = st.query_params.get(ASKED, "")
    number = int(said) if said.isascii() and said.isdigit() else st.session_state.get(ASKED)
    if number is None:
        return
    st.session_state[ASKED] = number
    found = _find(number)
    if found is None:
        st.html(alert(GONE))
    elif found.status in ENDED:
        pressed = _draw(found)
        if pressed:
            confirm_proposal(*pressed)
    else:
        _watch(number)


@fragment(PAGE, run_every=0.5)
def _watch(number: int) -> None:
    found = _find(number)
    if found is None or found.status in ENDED:
        st.rerun()
    _draw(found)


def _find(number: int) -> Task | None:
    found = task(engine(), number)
    return found if found is not None and found.kind is TaskKind.draw else None


def _draw(found: Task) -> Proposed | None:
    drawn_by = [_drawn_by(side) for side in DrawRequest.of(found).sides]
    return show_drawn(found, drawn_by, is_alive=is_worker_alive(engine()), taken=_taken())


def _taken() -> str:
    """Who has the device that the worker waits for, and how long a retrain of this store still takes; else empty."""
    who = who_has_device(list_workers(engine()))
    retrain = retrain_now(engine()) if who else None
    at_work = retrain.progress.current if retrain else None
    left = f" ({left_words(retrain.left)})" if retrain and at_work and at_work.kind != WAIT else ""
    return f"{who} has the device{left}" if who else ""


def _drawn_by(side: Side) -> DrawnBy:
    version = get_version(engine(), side.version)
    if side.strength is None:
        return DrawnBy(version.number, version.strength, version.number)
    return DrawnBy(version.number, version.strength, at_strength(engine(), version, side.strength))
