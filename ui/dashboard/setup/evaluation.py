"""Evaluation sets: which prompts and seeds compare versions; make a set, import one, use an older one again."""

from collections.abc import Sequence
from functools import partial

import streamlit as st

from feedback.policy import promotion_mode
from feedback.sample.evaluation import MAX_PAIRS, SetRow, import_set, list_sets, new_set, use_set
from feedback.sample.lists.pairs import read_pairs
from store.phrases import plural
from ui.dashboard.setup.desk import PAGE, about, act, ask, engine
from ui.dashboard.setup.file import Given, ask_list
from ui.dashboard.setup.rows import numbers_of, show_rows
from ui.signin.people import viewer_name
from ui.signin.powers import dialog
from ui.web.phrases import thousands
from ui.web.pieces import data_line
from ui.web.process import settings

USUAL_PAIRS = 200


def show_evaluation() -> None:
    """The whole part."""
    about(
        "Fixed prompts and seeds that versions are compared on. They never train. Champion and challenger draw those "
        "of the set in use; pairs of every other set stay out of training too."
    )
    rows = list_sets(engine())
    st.html(data_line(*based_on(rows)))
    _show_making()
    pressed = show_rows("sets", "sets.html", rows=rows)
    if pressed is None:
        return
    for row in rows:
        if [row.number] == numbers_of(pressed):
            _confirm_use(row)


def based_on(rows: Sequence[SetRow]) -> list[str]:
    """Which set is in use."""
    now = next((row for row in rows if row.is_active), None)
    if now is None:
        return ["no set yet: the worker makes the default one from the prompt list"]
    who = {"manual": "a person promotes", "gate": "their votes promote", "auto": "each retrain promotes by itself"}
    return [f"in use: {now.name}, {pairs_words(now)}", who[promotion_mode(settings())]]


def pairs_words(row: SetRow) -> str:
    """How large a set is."""
    return f"{plural(row.pairs, 'pair')} over {plural(row.prompts, 'prompt')}"


def _show_making() -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.text_input("Name of a new set", max_chars=80, key="set name", placeholder="fresh", width=240)
        pairs = st.number_input("Pairs", 1, MAX_PAIRS, USUAL_PAIRS, step=1, width=140)
        if st.button("Make a set…"):
            _confirm_new(name.strip() or "fresh", int(pairs))
    with st.container(horizontal=True, vertical_alignment="center"):
        given = ask_list("pair file")
        st.html(data_line("or your own pairs: a file with the columns prompt and seed, used at once"))
    if given is not None:
        act(partial(_import, given, name.strip()))


def _import(given: Given, name: str) -> list[str]:
    pairs = read_pairs(*given)
    return [_in_use(import_set(engine(), name or given.path.stem, pairs, by=viewer_name()))]


def _in_use(row: SetRow) -> str:
    return f"Versions are compared on {row.name} from now on: {pairs_words(row)}"


@dialog(PAGE, "New evaluation set")
def _confirm_new(name: str, pairs: int) -> None:
    st.text(
        f"{plural(pairs, 'new pair')} of prompt and seed, spread over the prompt list, {'is' if pairs == 1 else 'are'} "
        f"frozen as “{name}” and used at once. The champion and a challenger draw them before they are compared again: "
        f"{thousands(2 * pairs)} pictures. The set in use now stays in the list."
    )
    ask("Make the set", lambda: [_in_use(new_set(engine(), name, pairs, by=viewer_name()))])


@dialog(PAGE, "Use another set")
def _confirm_use(row: SetRow) -> None:
    st.text(
        f"Versions are compared on {row.name} ({pairs_words(row)}) from now on. What was drawn and judged for it "
        "before counts; the champion and a challenger draw what they lack. No set is lost."
    )
    ask("Use this set", lambda: [_in_use(use_set(engine(), row.number, by=viewer_name()))])
