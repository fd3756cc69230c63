"""The raters page: pace, care and agreement of each rater, flags with their reason; pause, exclude; the controls."""

from collections.abc import Sequence
from html import escape

import streamlit as st

from feedback.people.agreement import ac1, alpha, percent_agreement
from feedback.people.decisions import decide, give_role, rater_events
from feedback.people.reliability import RECENT, RaterFigures, Share, rater_figures, recent_counts
from feedback.rate.controls import AGREED, ControlRow, control_rows, controls_from_agreed, retire_control
from store.errors import NaysayerError
from store.tables import PersonRole, RaterAction, RaterEvent
from ui.signin.people import acting
from ui.web.phrases import percent, plural
from ui.web.pieces import alert, data_line, head, moment, picture
from ui.web.process import engine, settings

EVENTS = 20
SAID = {
    RaterAction.pause: "paused",
    RaterAction.resume: "resumed",
    RaterAction.exclude: "votes excluded",
    RaterAction.include: "votes included again",
    RaterAction.role: "role changed",
}


def raters_page() -> None:
    """Every rater, and what was decided about them."""
    try:
        if said := st.session_state.pop("said", None):
            st.toast(said)
        rows = rater_figures(engine())
        counts = recent_counts(engine())
        votes = sum(row.votes for row in rows)
        flagged = sum(bool(row.flags) for row in rows)
        top = head("Raters", f"{plural(votes, 'vote')} by {plural(len(rows), 'rater')}", f"{flagged} flagged")
        st.html(top + agreement_html(counts) + raters_html(rows))
        if rows:
            _decide(rows)
        decided, controls = st.tabs(["What was decided", "Controls"])
        with decided:
            st.html(events_html(rater_events(engine(), EVENTS)))
        with controls:
            _controls()
    except NaysayerError as error:
        st.html(alert(str(error)))


def agreement_html(counts: Sequence[tuple[int, int]]) -> str:
    """How far all raters agree, in three figures."""
    shared = sum(rejects + keeps >= 2 for rejects, keeps in counts)
    if not shared:
        return data_line(f"no agreement yet: no picture has two votes (NAYSAYER_OVERLAP is {settings().overlap})")
    figures = (
        ("agree", _share(percent_agreement(counts)), "share of pairs of votes on one picture that are alike"),
        (
            "Krippendorff's α",
            _figure(alpha(counts)),
            "agreement beyond chance; people reach 0.2 to 0.6",
        ),
        ("Gwet's AC1", _figure(ac1(counts)), "the same, steady where nearly all votes are alike"),
        ("pictures", f"{shared:,}", f"with two votes or more, among the newest {RECENT:,} votes"),
    )
    items = "".join(
        f"<li><b>{value}</b> {escape(name)}<small>{escape(more)}</small></li>" for name, value, more in figures
    )
    return f'<ul class="ns-figures">{items}</ul>'


def raters_html(rows: Sequence[RaterFigures]) -> str:
    """The raters as a table, flagged ones first."""
    if not rows:
        return data_line("nobody has voted yet")
    names = (
        "Votes",
        "A day",
        "Seconds",
        "Under 0.5 s",
        "Controls right",
        "Repeats alike",
        "Agrees",
        "α",
        "AC1",
        "Last",
    )
    columns = "".join(f'<th scope="col">{name}</th>' for name in names)
    body = "".join(_row(row) for row in rows)
    return (
        f'<div class="ns-table ns-raters"><table><thead><tr><th scope="col">Rater</th>{columns}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _row(row: RaterFigures) -> str:
    cells = (
        f"{row.votes:,}",
        f"{row.a_day:,.0f}",
        "–" if row.seconds is None else f"{row.seconds:.1f}",
        _share(row.fast.value),
        _bounded(row.controls),
        _bounded(row.repeats),
        _share(row.agreement),
        _figure(row.alpha),
        _figure(row.ac1),
        moment(row.last_at) if row.last_at else "–",
    )
    states = [row.role.value] if row.role is not PersonRole.rater else []
    states += ["paused"] if row.is_paused else []
    states += ["excluded"] if row.is_excluded else []
    marks = "".join(f'<span class="ns-badge">{state}</span>' for state in states)
    flags = "".join(f"<li>{escape(flag)}</li>" for flag in row.flags)
    return (
        f'<tr class="{"flagged" if row.flags else ""}"><th scope="row">{escape(row.name)}{marks}'
        + (f'<ul class="ns-flags" aria-label="flags">{flags}</ul>' if flags else "")
        + "</th>"
        + "".join(f"<td>{cell}</td>" for cell in cells)
        + "</tr>"
    )


def _bounded(share: Share) -> str:
    """A share with its 95 % Wilson interval."""
    if share.value is None:
        return "–"
    low, high = (f"{100 * value:.0f}" for value in share.interval)
    return f"{percent(share.value)}<small>{low}–{high} %, n {share.whole:,}</small>"


def _share(value: float | None) -> str:
    return "–" if value is None else percent(value)


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}".replace("-", "−")


def _decide(rows: Sequence[RaterFigures]) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.selectbox("Rater", [row.name for row in rows], key="rater", width=240)
        row = next(row for row in rows if row.name == name)
        pause = RaterAction.resume if row.is_paused else RaterAction.pause
        exclude = RaterAction.include if row.is_excluded else RaterAction.exclude
        if st.button("Resume…" if row.is_paused else "Pause…"):
            _confirm(row.name, pause)
        if st.button("Include votes…" if row.is_excluded else "Exclude votes…", type="primary"):
            _confirm(row.name, exclude)
        if st.button("Role…"):
            _choose_role(row.name, row.role)


@st.dialog("Rater")
def _confirm(name: str, action: RaterAction) -> None:
    st.text(
        {
            RaterAction.pause: f"{name} is given no more pictures. Votes given stay and count.",
            RaterAction.resume: f"{name} is given pictures again.",
            RaterAction.exclude: f"No vote of {name} counts any more; pool, rates, retrains follow. It can be undone.",
            RaterAction.include: f"The votes of {name} count again.",
        }[action]
    )
    with st.form("decide", border=False):
        reason = st.text_input("Reason", placeholder="Kept in the history", max_chars=200)
        is_sure = st.form_submit_button(SAID[action].capitalize(), type="primary")
    if is_sure:
        try:
            decide(engine(), name, action, by=acting(), reason=reason, overlap=settings().overlap)
        except NaysayerError as error:
            st.html(alert(str(error)))
            return
        st.session_state["said"] = SAID[action].capitalize()  # without the name: a toast renders Markdown
        st.rerun()


@st.dialog("Role")
def _choose_role(name: str, role: PersonRole) -> None:
    roles = list(PersonRole)
    wanted = st.radio(
        "Role", roles, index=roles.index(role), captions=["rates", "rates, looks after the pool", "everything"]
    )
    if st.button("Give the role", type="primary", disabled=wanted is role) and wanted is not None:
        give_role(engine(), name, wanted, by=acting())
        st.session_state["said"] = f"The role is {wanted.value} now"
        st.rerun()


def events_html(events: Sequence[tuple[str, RaterEvent]]) -> str:
    """What was decided about raters, newest first."""
    lines = "".join(
        f"<li><span>{escape(name)}: {SAID[event.action]} by {escape(event.by)} <q>{escape(event.reason)}</q></span>"
        f"{moment(event.created_at)}</li>"
        for name, event in events
    )
    return f'<ul class="ns-events">{lines or "<li>Nothing yet.</li>"}</ul>'


def _controls() -> None:
    rows = control_rows(engine())
    active = [row for row in rows if row.is_active]
    st.html(data_line(f"{plural(len(active), 'control')} in use, mixed in at {percent(settings().control_share)}"))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        if st.button(f"Make 20 from pictures on which {AGREED} raters agree"):
            made = controls_from_agreed(engine(), 20, by=acting())
            st.session_state["said"] = f"{plural(made, 'new control')}"
            st.rerun()
        if active:
            number = st.selectbox("Control", [row.image_id for row in active], key="control", width=140)
            if st.button("Retire it"):
                retire_control(engine(), number)
                st.rerun()
    st.html(controls_html(rows))


def controls_html(rows: Sequence[ControlRow]) -> str:
    """The controls with how many raters answered them right: one that most get wrong is itself in doubt."""
    if not rows:
        return data_line("no controls yet; `naysayer controls draw` makes some for the built-in model")
    body = "".join(
        f'<tr><td>{picture(row.sha256, row.prompt, 48, width=row.width)}</td><th scope="row">{row.image_id}</th>'
        f"<td>{row.answer.value}</td><td>{row.right} of {row.seen}</td><td>{escape(row.source)}</td>"
        f'<td class="text">{escape(row.prompt)}{"" if row.is_active else " (retired)"}</td></tr>'
        for row in rows
    )
    names = ("Picture", "Number", "Answer", "Right", "From")
    columns = "".join(f'<th scope="col">{name}</th>' for name in names) + '<th scope="col" class="text">Prompt</th>'
    return f'<div class="ns-table"><table><thead><tr>{columns}</tr></thead><tbody>{body}</tbody></table></div>'
