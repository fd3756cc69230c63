"""The versions page: one row a version on a shared axis, what the pairs say, the actions, and one version inside."""

from collections.abc import Callable, Mapping, Sequence
from html import escape

import streamlit as st

from feedback.figures.summary import VersionRow, version_rows
from feedback.gate.actions import list_objections, promote_by_hand
from feedback.gate.evidence import LORA_FILES, evidence_rows
from feedback.gate.gate import RULE, Conclusion, Evidence, evidence_words, what_follows
from feedback.runs import ask_for_retrain, latest_run, stop_retrain
from feedback.versions import PLAIN, get_version, roll_back, withdraw
from store.engine import reading
from store.errors import NaysayerError
from store.layout import layout_of
from store.tables import RunStatus
from ui.dashboard.inside import show_inside
from ui.web.phrases import percent, plural
from ui.web.pieces import alert, axis_end, badges, head, interval_bar, moment
from ui.web.process import engine, settings

CHAMPION = "champion"
COLUMNS = ("Beside the champion", "Trained on", "Votes", "Checks")


def versions_page() -> None:
    """Every version, and the chosen one in detail."""
    try:
        rows = version_rows(engine())
        if not rows:
            st.html(head("Versions", "no versions yet: the plain base is recorded when the first pictures are drawn"))
            return
        number = _choose(rows)
        version = get_version(engine(), number)
        show_inside(engine(), version, next(row.number for row in rows if CHAMPION in row.aliases))
    except NaysayerError as error:
        st.html(alert(str(error)))


def _choose(rows: Sequence[VersionRow]) -> int:
    """Draws the table, the buttons and the choice; the number of the version that is looked at."""
    votes, judged = sum(row.votes for row in rows), sum(row.judged for row in rows)
    sentence = f"{plural(votes, 'vote')} on {plural(judged, 'picture')}"
    st.html(head("Versions", sentence, "thumbs-down rate: share of the judged pictures that were rejected"))
    table = st.container()
    evidence = evidence_rows(engine(), [row.number for row in rows])
    with st.container(horizontal=True, vertical_alignment="bottom"):
        numbers = [row.number for row in rows]
        number = st.selectbox("Look at", numbers, format_func=lambda n: _name(rows, n), width=220, key="version")
        chosen = next(row for row in rows if row.number == number)
        _buttons(chosen)
    table.html(table_html(rows, number, evidence) + conclusion_html(chosen, evidence.get(number)))
    if said := st.session_state.pop("said", None):
        st.toast(said)
    return number


def _buttons(chosen: VersionRow) -> None:
    number, is_live = chosen.number, CHAMPION in chosen.aliases
    if st.button(f"Promote v{number}…", disabled=is_live or chosen.is_withdrawn, type="primary"):
        _confirm_promotion(number)
    if st.button("Roll back…"):
        _confirm_rollback()
    if st.button(f"Withdraw v{number}…", disabled=number == PLAIN or chosen.is_withdrawn):
        _confirm_withdrawal(number)
    with reading(engine()) as session:
        run = latest_run(session)
    if run is not None and run.status is RunStatus.running:
        if st.button("Stop the retrain…"):
            _confirm_stop()
    elif st.button("Retrain now…"):
        _confirm_retrain()


def _name(rows: Sequence[VersionRow], number: int) -> str:
    row = next(row for row in rows if row.number == number)
    return " · ".join([f"v{number}", *row.aliases, *(["withdrawn"] if row.is_withdrawn else [])])


@st.dialog("Promote")
def _confirm_promotion(number: int) -> None:
    st.text(f"v{number} becomes the champion: it draws what the plain base does not. It can be rolled back.")
    against, layout = list_objections(engine(), layout_of(settings()), number), layout_of(settings())
    is_forced = False
    if against:
        st.html(alert(f"What speaks against it: {'; '.join(against)}."))
        is_forced = st.checkbox("Promote it all the same")

    def act(reason: str) -> str:
        promote_by_hand(engine(), layout, number, reason, force=is_forced)
        return f"v{number} is champion now"

    _confirm(f"Promote v{number}", act)


@st.dialog("Roll back")
def _confirm_rollback() -> None:
    st.text("The champion before this one goes live again: it draws what the plain base does not.")
    _confirm("Roll back", lambda reason: f"v{roll_back(engine(), reason)} is champion again")


@st.dialog("Withdraw")
def _confirm_withdrawal(number: int) -> None:
    st.text(f"v{number} goes out of use for good: its waiting pictures are dropped, and it cannot be promoted again.")
    said = f"v{number} is withdrawn, v{{}} is champion"
    _confirm(f"Withdraw v{number}", lambda reason: said.format(withdraw(engine(), number, reason)))


@st.dialog("Retrain now")
def _confirm_retrain() -> None:
    st.text("The worker fits a new version on today's pool, whether a retrain is due or not.")
    _confirm("Retrain now", _asked)


def _asked(reason: str) -> str:
    ask_for_retrain(engine(), reason)
    return "the worker was asked for a retrain"


@st.dialog("Stop the retrain")
def _confirm_stop() -> None:
    st.text("The running retrain stops after its step and makes no version; the next one starts anew.")
    _confirm("Stop the retrain", _stopped)


def _stopped(reason: str) -> str:
    stop_retrain(engine(), reason)
    return "the retrain stops after its step"


def _confirm(label: str, act: Callable[[str], str]) -> None:
    with st.form("confirm", border=False):
        reason = st.text_input("Reason", placeholder="Kept in the history", max_chars=200)
        is_sure = st.form_submit_button(label, type="primary")
    if not is_sure:
        return
    if not reason.strip():
        st.html(alert("Say why, in a few words: the reason is kept in the history."))
        return
    try:
        st.session_state["said"] = act(reason.strip())
    except NaysayerError as error:
        st.html(alert(str(error)))
        return
    st.rerun()


def table_html(
    rows: Sequence[VersionRow], chosen: int | None = None, evidence: Mapping[int, Evidence] | None = None
) -> str:
    """The versions as a table, newest first, their intervals on one axis."""
    end = axis_end(rows)
    scale = "".join(f'<span style="left:{25 * part}%">{percent(end * part / 4)}</span>' for part in range(5))
    thin = "bold: 95 %; thin: 95 % however often one looks"
    head = (
        '<th scope="col">Version</th><th scope="col">Thumbs down</th>'
        f'<th scope="col" class="wide" title="{thin}">95 % interval<div class="scale">{scale}</div></th>'
        + "".join(f'<th scope="col">{name}</th>' for name in COLUMNS)
    )
    body = "".join(_row(row, end, row.number == chosen, (evidence or {}).get(row.number)) for row in rows)
    return f'<div class="ns-table"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def conclusion_html(row: VersionRow, evidence: Evidence | None) -> str:
    """What may be concluded of a version beside the champion, what not, and the rule of promotion."""
    if evidence is None:
        said = f"v{row.number} is the champion: the others are compared with it."
    elif row.is_withdrawn:
        said = f"v{row.number} was withdrawn."
    else:
        said = f"v{row.number}: {what_follows(evidence)}"
    return f'<div class="ns-conclusion"><p>{escape(said)}</p><p>{escape(RULE)}</p></div>'


def _row(row: VersionRow, end: float, is_chosen: bool, evidence: Evidence | None) -> str:
    new = f"<small>{row.trained_new:,} new</small>" if row.trained_on else ""
    watched = row.watched if row.judged else None
    cells = (
        _beside(row, evidence),
        f"{plural(row.trained_on, 'reject')}{new}" if row.trained_on else "–",
        _votes(row),
        _checks(row),
    )
    state = badges([*row.aliases, *(["withdrawn"] if row.is_withdrawn else [])])
    return (
        f'<tr class="{"chosen" if is_chosen else ""}"><th scope="row">v{row.number}{state}'
        f"<small>{moment(row.created_at)}</small></th>"
        f"<td>{'–' if row.rate is None else percent(row.rate)}</td>"
        f'<td class="wide">{interval_bar(row.rate, row.interval, end, CHAMPION in row.aliases, watched)}</td>'
        + "".join(f"<td>{cell}</td>" for cell in cells)
        + "</tr>"
    )


def _beside(row: VersionRow, evidence: Evidence | None) -> str:
    if evidence is None or evidence.difference is None:
        return "–"
    kind = {Conclusion.better: "better", Conclusion.worse: "worse"}.get(evidence.conclusion, "")
    points = f"{100 * evidence.difference:+.0f} points".replace("-", "−")
    title = escape(evidence_words(evidence), quote=True)
    return f'<span title="{title}">{points}</span><br><span class="ns-badge {kind}">{evidence.conclusion.value}</span>'


def _votes(row: VersionRow) -> str:
    """Votes and raters; below, the pictures, and how often two votes on one of them agree."""
    if not row.votes:
        return "–"
    agree = "" if row.agreement is None else f", {percent(row.agreement)} agree"
    return f"{row.votes:,} by {row.raters:,}<small>on {plural(row.judged, 'picture')}{agree}</small>"


def _checks(row: VersionRow) -> str:
    """Whether the files are where they belong; their hashes are compared inside and before a promotion."""
    if row.sha256 is None:
        return "–"
    folder = layout_of(settings()).version_folder(row.sha256)
    missing = [name for name, _ in LORA_FILES if not (folder / name).is_file()]
    return badges(["missing" if missing else "fine"])
