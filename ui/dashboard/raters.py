"""The raters page: pace, care and agreement of each rater, flags with their reason; pause, exclude."""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import streamlit as st
from markupsafe import Markup

from feedback.people.agreement import ac1, alpha, percent_agreement
from feedback.people.decisions import Decision, decide, give_role, rater_events
from feedback.people.reliability import RECENT, RaterFigures, agreement_and_figures
from feedback.statistics import Fraction
from store.phrases import plural
from store.tables import PersonRole, RaterAction, RaterEvent
from ui.signin.people import viewer_name
from ui.signin.powers import dialog, guard, store_of
from ui.web.dialog import confirm, run_action, show_done
from ui.web.phrases import percent
from ui.web.pieces import axis_end, data_line, head
from ui.web.process import settings
from ui.web.templates import render

PAGE = "Raters"
EVENTS = 20
SHOWN = 10
"""Raters whose shares are drawn, those that differ most first."""
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
    st.html(events_html(rater_events(engine(), EVENTS)))


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
        shown = f"each picture is shown to {plural(settings().overlap, 'rater')}"
        return data_line(f"no agreement yet: {shown}, and second looks at doubtful votes do not count")
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
    """Who rejects more or less than the others; then the raters as a table, flagged ones first."""
    shares = shares_of(rows)
    return render(
        "dashboard/html/raters.html",
        shares=shares,
        shown=sorted((one for one in shares if one.row.votes), key=lambda one: -one.apart)[:SHOWN],
        sentence=share_sentence(shares),
        flagged=flag_sentence(rows),
        end=axis_end(one.row.rejects.interval for one in shares if one.row.votes),
        states_of=states_of,
        share=_share,
        figure=_figure,
    )


class Share(NamedTuple):
    """A rater, and the rejects among the votes of all the others whose votes count."""

    row: RaterFigures
    others: Fraction

    @property
    def apart(self) -> float:
        """How far the 95 % intervals of the two shares lie apart; below 0 where they meet."""
        if not self.row.rejects.whole or not self.others.whole:
            return -1.0
        own, others = self.row.rejects.interval, self.others.interval
        return max(others.low - own.high, own.low - others.high)

    @property
    def differs(self) -> bool:
        return self.apart > 0


def shares_of(rows: Sequence[RaterFigures]) -> list[Share]:
    """Each rater's share of rejects beside that of the others."""
    counted = [row.rejects for row in rows if not row.is_excluded]
    rejects, votes = sum(one.part for one in counted), sum(one.whole for one in counted)

    def others(row: RaterFigures) -> Fraction:
        own = Fraction(0, 0) if row.is_excluded else row.rejects
        return Fraction(rejects - own.part, votes - own.whole)

    return [Share(row, others(row)) for row in rows]


def share_sentence(shares: Sequence[Share]) -> str:
    """Which raters reject more or less than the others; they may have seen other pictures."""
    apart = [one for one in shares if one.differs]
    if not apart:
        return (
            "No rater rejects clearly more or less than the others." if sum(o.row.votes > 0 for o in shares) > 1 else ""
        )
    told = [
        f"{one.row.name} rejects {_share(one.row.rejects.value)}, the others {_share(one.others.value)}"
        for one in apart
    ]
    return f"{'; '.join(told)}."


def flag_sentence(rows: Sequence[RaterFigures]) -> str:
    """Who is flagged, and what to do about it.

    >>> flag_sentence([])
    ''
    """
    flagged = [row.name for row in rows if row.flags and not row.is_excluded]
    if not flagged:
        return ""
    names = ", ".join(flagged[:3]) + (f" and {len(flagged) - 3} more" if len(flagged) > 3 else "")
    their = f"{'It is' if len(flagged) == 1 else 'They are'} at the top of the table, with the reason"
    return f"Flagged: {names}. {their}; look at the pictures before you pause a rater or exclude votes."


def states_of(row: RaterFigures) -> list[str]:
    """What is unusual about a rater: the role, and what was decided."""
    states = [row.role.value] if row.role is not PersonRole.rater else []
    states += ["paused"] if row.is_paused else []
    return states + (["excluded"] if row.is_excluded else [])


def _show_buttons(rows: Sequence[RaterFigures]) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        names = [row.name for row in rows]
        name = st.selectbox("Rater", names, index=None, placeholder="Choose a rater", key="rater", width=240)
        row = next((row for row in rows if row.name == name), None)
        pause = RaterAction.resume if row and row.is_paused else RaterAction.pause
        exclude = RaterAction.include if row and row.is_excluded else RaterAction.exclude
        if st.button(f"{LABELS[pause]}…", disabled=row is None) and row:
            _confirm_decision(row, pause)
        if st.button(f"{LABELS[exclude]}…", disabled=row is None) and row:
            _confirm_decision(row, exclude)
        if st.button("Role…", disabled=row is None) and row:
            _choose_role(row.name, row.role)


@dialog(PAGE, "Rater")
def _confirm_decision(row: RaterFigures, action: RaterAction) -> None:
    name, votes = row.name, plural(row.votes, "vote")
    st.text(
        {
            RaterAction.pause: f"{name} gets no more pictures. The votes given so far still count.",
            RaterAction.resume: f"{name} gets pictures again.",
            RaterAction.exclude: f"{votes} of {name} no longer count in pool, rates and retrains. Versions that "
            "were trained on them stay as they are. You can undo this.",
            RaterAction.include: f"{votes} of {name} count again.",
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
    wanted = st.radio(f"Role of {name}", roles, index=roles.index(role), captions=captions) or role

    def act() -> str:
        give_role(engine(), name, wanted, by=viewer_name())
        return f"The role is now {wanted.value}"

    with st.container(horizontal=True):
        is_given = st.button("Give the role", type="primary", disabled=wanted is role)
        if st.button("Cancel"):
            st.rerun()
    if is_given:
        run_action(act)


def events_html(events: Sequence[tuple[str, RaterEvent]]) -> Markup:
    """What was decided about raters, newest first."""
    return render("dashboard/html/events.html", events=events, decided=DECIDED)
