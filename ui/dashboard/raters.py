"""The raters page: pace, care and agreement of each rater, flags with their reason; pause, exclude; the controls."""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import streamlit as st
from markupsafe import Markup

from feedback.people.agreement import ac1, alpha, percent_agreement
from feedback.people.decisions import Decision, decide, give_role, rater_events
from feedback.people.reliability import RECENT, RaterFigures, agreement_and_figures
from feedback.rate.controls import AGREED, ControlRow, control_rows, controls_from_agreed, retire_control
from store.phrases import plural
from store.tables import PersonRole, RaterAction, RaterEvent
from ui.signin.people import viewer_name
from ui.signin.powers import dialog, guard, store_of
from ui.web.dialog import confirm, run_action, show_done
from ui.web.phrases import percent
from ui.web.pieces import data_line, head
from ui.web.process import settings
from ui.web.templates import render

PAGE = "Raters"
EVENTS = 20
DECIDED = {
    RaterAction.pause: "paused",
    RaterAction.resume: "resumed",
    RaterAction.exclude: "votes excluded",
    RaterAction.include: "votes included again",
    RaterAction.role: "role changed",
}


LABELS = {
    RaterAction.pause: "Pause",
    RaterAction.resume: "Resume",
    RaterAction.exclude: "Exclude votes",
    RaterAction.include: "Include votes",
}
engine = partial(store_of, PAGE)


@guard(PAGE)
def raters_page() -> None:
    """Every rater, and what was decided about them."""
    show_done()
    counts, rows = agreement_and_figures(engine(), share=settings().rater_share)
    st.html(head("Raters", *based_on(rows)) + agreement_html(counts) + raters_html(rows))
    if rows:
        _show_buttons(rows)
    decided, controls = st.tabs(["What was decided", "Controls"])
    with decided:
        st.html(events_html(rater_events(engine(), EVENTS)))
    with controls:
        _show_controls()


def based_on(rows: Sequence[RaterFigures]) -> list[str]:
    """What the table counts."""
    voted = [row for row in rows if row.votes and not row.is_excluded]
    excluded = sum(row.votes for row in rows if row.is_excluded)
    votes = sum(row.votes for row in voted)
    counted = f"{plural(votes, 'vote')} by {plural(len(voted), 'rater')} (the latest of each rater on each picture)"
    out = [f"{plural(excluded, 'vote')} of excluded raters not among them"] if excluded else []
    return [counted, *out, f"{sum(bool(row.flags) for row in rows)} flagged"]


class Figure(NamedTuple):
    """A large number with its name and its meaning."""

    value: str
    name: str
    more: str


def agreement_html(counts: Sequence[tuple[int, int]]) -> Markup:
    """How far all raters agree, in three figures, from the rejects and keeps of each picture."""
    shared = sum(rejects + keeps >= 2 for rejects, keeps in counts)
    if not shared:
        return data_line(f"no agreement yet: each picture is shown to {plural(settings().overlap, 'rater')}")
    pairs = "share of pairs of votes on one picture that are alike"
    figures = [
        Figure(_share(percent_agreement(counts)), "agree", pairs),
        Figure(_figure(alpha(counts)), "Krippendorff's α", "agreement beyond chance; people reach 0.2 to 0.6"),
        Figure(_figure(ac1(counts)), "Gwet's AC1", "the same, stable where nearly all votes are alike"),
        Figure(
            f"{shared:,}",
            "picture" if shared == 1 else "pictures",
            f"with two votes or more, among the newest {RECENT:,} votes",
        ),
    ]
    return render("dashboard/html/agreement.html", figures=figures)


def _share(value: float | None) -> str:
    return "–" if value is None else percent(value)


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}".replace("-", "−")


def raters_html(rows: Sequence[RaterFigures]) -> Markup:
    """The raters as a table, flagged ones first."""
    return render("dashboard/html/raters.html", rows=rows, states_of=states_of, share=_share, figure=_figure)


def states_of(row: RaterFigures) -> list[str]:
    """What is unusual about a rater: the role, and what was decided."""
    states = [row.role.value] if row.role is not PersonRole.rater else []
    states += ["paused"] if row.is_paused else []
    return states + (["excluded"] if row.is_excluded else [])


def _show_buttons(rows: Sequence[RaterFigures]) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.selectbox("Rater", [row.name for row in rows], key="rater", width=240)
        row = next(row for row in rows if row.name == name)
        pause = RaterAction.resume if row.is_paused else RaterAction.pause
        exclude = RaterAction.include if row.is_excluded else RaterAction.exclude
        if st.button(f"{LABELS[pause]}…"):
            _confirm_decision(row.name, pause)
        if st.button(f"{LABELS[exclude]}…", type="primary"):
            _confirm_decision(row.name, exclude)
        if st.button("Role…"):
            _choose_role(row.name, row.role)


@dialog(PAGE, "Rater")
def _confirm_decision(name: str, action: RaterAction) -> None:
    st.text(
        {
            RaterAction.pause: f"{name} gets no more pictures. The votes given so far still count.",
            RaterAction.resume: f"{name} gets pictures again.",
            RaterAction.exclude: f"The votes of {name} no longer count in pool, rates and retrains. You can undo this.",
            RaterAction.include: f"The votes of {name} count again.",
        }[action]
    )

    def act(reason: str) -> str:
        decide(engine(), name, Decision(action, viewer_name(), reason), settings().overlap)
        return DECIDED[action].capitalize()

    confirm(LABELS[action], act)


@dialog(PAGE, "Role")
def _choose_role(name: str, role: PersonRole) -> None:
    roles = list(PersonRole)
    captions = ["rates", "rates, curates the pool", "everything"]
    wanted = st.radio("Role", roles, index=roles.index(role), captions=captions) or role

    def act() -> str:
        give_role(engine(), name, wanted, by=viewer_name())
        return f"The role is now {wanted.value}"

    if st.button("Give the role", type="primary", disabled=wanted is role):
        run_action(act)


def events_html(events: Sequence[tuple[str, RaterEvent]]) -> Markup:
    """What was decided about raters, newest first."""
    return render("dashboard/html/events.html", events=events, decided=DECIDED)


def _show_controls() -> None:
    rows = control_rows(engine())
    active = [row.image_id for row in rows if row.is_active]
    st.html(data_line(f"{plural(len(active), 'control')} in use: {percent(settings().control_share)} of the queue"))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        if st.button(f"Make 20 from pictures on which {AGREED} raters agree"):
            run_action(_make_controls)
        if active:
            number = st.selectbox("Control", active, key="control", width=140)
            if st.button("Retire it"):
                retire_control(engine(), number)
                st.rerun()
    st.html(controls_html(rows))


def _make_controls() -> str:
    return plural(controls_from_agreed(engine(), 20, by=viewer_name()), "new control")


def controls_html(rows: Sequence[ControlRow]) -> Markup:
    """The controls with how many raters answered them right: one that most get wrong is itself in doubt."""
    return render("dashboard/html/controls.html", rows=rows)
