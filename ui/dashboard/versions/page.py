"""The Versions page: a table, the verdict on the chosen version, what can be done, and the tabs inside it.

What is looked at stands in the address (`?v=3&with=2&tab=files`), so that a link or a reload shows the same.
"""

from collections.abc import Sequence
from functools import partial

import streamlit as st

from feedback.figures.summary import VersionRow, version_rows
from feedback.gate.advice import rule_in_force
from feedback.gate.evidence import evidence_rows
from feedback.policy import promotion_mode
from feedback.runs import latest_run
from feedback.sample.evaluation import count_pairs
from feedback.succession import PLAIN, alias_target, compared, replaced_by
from feedback.versions import get_version
from store.engine import reading
from store.phrases import plural
from store.tables import AliasName, RunStatus
from ui.dashboard.live.retrain import show_retrain
from ui.dashboard.versions.card import compared_now, show_card
from ui.dashboard.versions.details import show_inside
from ui.dashboard.versions.dialogs import (
    confirm_promotion,
    confirm_retrain,
    confirm_rollback,
    confirm_stop,
    confirm_withdrawal,
    open_dialog,
)
from ui.dashboard.versions.table import show_table
from ui.signin.powers import fragment, guard, store_of
from ui.web.dialog import show_done
from ui.web.pieces import data_line, head, name_tab, prose
from ui.web.process import settings
from ui.words import NO_VERSION

PAGE = "Versions"
CHAMPION = "champion"
engine = partial(store_of, PAGE)


@guard(PAGE)
def versions_page() -> None:
    """Every version, and the chosen one in detail."""
    rows = version_rows(engine())
    if not rows:
        st.html(head("Versions") + data_line(prose(NO_VERSION)))
        return
    _show_head(rows)
    _show_running()
    number = _choose(rows)
    name_tab(f"v{number}", PAGE)
    beside = _choose_beside(rows, number)
    if beside is not None and (pressed := show_card(compared_now(engine(), number, beside), "card")):
        open_dialog(*pressed)
    st.html(data_line(rule_in_force(promotion_mode(settings()), count_pairs(engine()))))
    show_inside(engine(), get_version(engine(), number), beside)
    show_done()


def _show_head(rows: Sequence[VersionRow]) -> None:
    votes, judged = sum(row.votes for row in rows), sum(row.judged for row in rows)
    based_on = f"{plural(votes, 'vote')} on sampled pictures", f"{plural(judged, 'sampled picture')} judged"
    st.html(head("Versions", *based_on, "rejects: share of the judged pictures"))


@fragment(PAGE, run_every=2)
def _show_running() -> None:
    show_retrain(engine())


def _choose(rows: Sequence[VersionRow]) -> int:
    """The chosen version, once the table is drawn: the one in the address, else who challenges, else the champion."""
    numbers = [row.number for row in rows]
    number = asked_for("v", numbers)
    if number is None:
        with reading(engine()) as session:
            pair = compared(session)
        number = pair.new if pair else next(row.number for row in rows if CHAMPION in row.aliases)
    opened = show_table(rows, number, evidence_rows(engine(), numbers))
    if opened is not None and opened in numbers and opened != number:
        st.query_params["v"] = str(opened)
        st.query_params.pop("with", None)
        st.rerun()
    return number


def _choose_beside(rows: Sequence[VersionRow], number: int) -> int | None:
    """The version beside which the chosen one stands, once the choice and the buttons are drawn."""
    others = [row.number for row in rows if row.number != number]
    chosen = next(row for row in rows if row.number == number)
    with st.container(horizontal=True, vertical_alignment="bottom", key="acts"):
        beside = None
        if others:
            at = others.index(_usual(rows, number, asked_for("with", others)))
            beside = st.selectbox(
                f"Compare v{number} with", others, at, lambda n: _name(rows, n), width=220, key=f"beside {number}"
            )
            if beside != _usual(rows, number, None) or "with" in st.query_params:
                st.query_params["with"] = str(beside)
        _show_buttons(chosen)
    return beside


def _usual(rows: Sequence[VersionRow], number: int, asked: int | None) -> int:
    """Beside whom a version stands: as asked, else the champion, or for the champion the one before it."""
    if asked is not None:
        return asked
    live = next(row.number for row in rows if CHAMPION in row.aliases)
    with reading(engine()) as session:
        before = replaced_by(session, live)
    first_choices = [live, before, PLAIN, rows[0].number]
    return next(one for one in first_choices if one not in (None, number))


def asked_for(name: str, numbers: Sequence[int]) -> int | None:
    """A version that the address names, if there is one of that number."""
    said = st.query_params.get(name, "").removeprefix("v")
    return int(said) if said.isascii() and said.isdigit() and int(said) in numbers else None


def _show_buttons(chosen: VersionRow) -> None:
    number, is_live = chosen.number, CHAMPION in chosen.aliases
    gone = f"v{number} is withdrawn already." if chosen.is_withdrawn else ""
    with reading(engine()) as session:
        run, live = latest_run(session), alias_target(session, AliasName.champion)
        first = "" if live is None or replaced_by(session, live) is not None else f"v{live} is the first champion."
    if _act(f"Promote v{number}…", f"v{number} is the champion already." if is_live else gone):
        confirm_promotion(number)
    if _act("Roll back…", first and f"{first} There is no earlier one to go back to."):
        confirm_rollback()
    if _act(f"Withdraw v{number}…", f"v{PLAIN} is the plain base, which always stays." if number == PLAIN else gone):
        confirm_withdrawal(number)
    if run is not None and run.status is RunStatus.running:
        if st.button("Stop the retrain…"):
            confirm_stop(run.id)
    elif st.button("Retrain now…"):
        confirm_retrain()


def _act(label: str, why_not: str) -> bool:
    """A button; where it can do nothing, it says why when it is pointed at."""
    return st.button(label, disabled=bool(why_not), help=why_not or None)


def _name(rows: Sequence[VersionRow], number: int) -> str:
    row = next(row for row in rows if row.number == number)
    return " · ".join(
        [
            f"v{number}",
            *(["base"] if number == PLAIN else []),
            *row.aliases,
            *(["withdrawn"] if row.is_withdrawn else []),
        ]
    )
