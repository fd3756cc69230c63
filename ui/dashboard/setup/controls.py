"""Controls: pictures with a known answer, how raters answer them, and which judged pictures could be more of them."""

from collections.abc import Callable, Sequence
from functools import partial

import streamlit as st

from feedback.rate.controls import (
    AGREED,
    ANSWERS,
    ControlRow,
    control_candidates,
    control_rows,
    controls_from_agreed,
    make_controls,
    retire_controls,
    reuse_controls,
)
from store.phrases import plural
from store.tables import Verdict
from ui.dashboard.setup.desk import PAGE, about, act, ask, engine
from ui.dashboard.setup.rows import numbers_of, show_rows
from ui.signin.people import viewer_name
from ui.signin.powers import dialog
from ui.web.phrases import percent
from ui.web.pieces import data_line
from ui.web.process import settings

CANDIDATES = 24
AT_ONCE = 20


def show_controls() -> None:
    """The whole part."""
    about(
        "Pictures whose answer is known, mixed into everybody's queue. They show how careful raters are, and train "
        "nothing."
    )
    rows = control_rows(engine())
    st.html(data_line(*based_on(rows, settings().control_share)))
    if st.button(f"Make {AT_ONCE} from pictures on which {AGREED} raters agree"):
        act(_make_agreed)
    pressed = show_rows("controls", "controls.html", rows=rows)
    if pressed is not None and pressed.action == "reuse":
        act(partial(_reuse, numbers_of(pressed)))
    elif pressed is not None:
        _confirm_retiring(numbers_of(pressed))
    with st.expander("Add judged pictures", expanded=not rows):
        _show_candidates()


def based_on(rows: Sequence[ControlRow], share: float) -> list[str]:
    """How many controls there are, and how raters answer them."""
    active = [row for row in rows if row.is_active]
    seen, right = sum(row.seen for row in active), sum(row.right for row in active)
    answered = f"{percent(right / seen)} of {plural(seen, 'answer')} right" if seen else "nobody has answered one yet"
    if not active:
        return ["no control is in use", f"once there are some, they will be {percent(share)} of what raters see"]
    return [f"{plural(len(active), 'control')} in use", answered, f"{percent(share)} of what raters see"]


def _make_agreed() -> list[str]:
    made = controls_from_agreed(engine(), AT_ONCE, by=viewer_name())
    if not made:
        return [f"no new control: no further picture has {AGREED} votes that all agree; add pictures by hand below"]
    return [f"{plural(made, 'new control')}, half rejects and half keeps where there were enough"]


def _show_candidates() -> None:
    answer = st.segmented_control("Right answer", list(ANSWERS), default=Verdict.reject, required=True, key="answer")
    found = control_candidates(engine(), answer, CANDIDATES)
    pressed = show_rows(f"candidates {answer}", "candidates.html", rows=found, answer=answer)
    if pressed is not None:
        act(partial(_make, numbers_of(pressed), answer))


def _make(numbers: Sequence[int], answer: Verdict) -> list[str]:
    made = make_controls(engine(), numbers, answer, by=viewer_name())
    return [f"{plural(len(made), 'new control')}; the right answer is {answer.value}"]


def _reuse(numbers: Sequence[int]) -> list[str]:
    reuse_controls(engine(), numbers)
    return [f"{plural(len(numbers), 'control')} in use again"]


@dialog(PAGE, "Take controls out of use")
def _confirm_retiring(numbers: Sequence[int]) -> None:
    it, its = ("it", "its") if len(numbers) == 1 else ("them", "their")
    st.text(
        f"Nobody gets {plural(len(numbers), 'control')} any more, and {its} answers no longer count for any rater. "
        f"You can use {it} again later."
    )
    ask("Take out of use", _retirement(numbers))


def _retirement(numbers: Sequence[int]) -> Callable[[], list[str]]:
    def retire() -> list[str]:
        retire_controls(engine(), numbers)
        return [f"{plural(len(numbers), 'control')} taken out of use"]

    return retire
