"""The versions page: one row a version on a shared axis; promote, roll back, and look inside one."""

from collections.abc import Callable, Sequence

import streamlit as st

from feedback.summary import VersionRow, version_rows
from feedback.versions import get_version, promote, roll_back
from store.errors import NaysayerError
from ui.draw import alert, axis_end, badges, head, interval_bar, moment, percent, plural
from ui.inside import show_inside
from ui.opened import engine

CHAMPION = "champion"


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
    with st.container(horizontal=True, vertical_alignment="bottom"):
        numbers = [row.number for row in rows]
        number = st.selectbox("Look at", numbers, format_func=lambda n: _name(rows, n), width=220, key="version")
        is_live = CHAMPION in next(row for row in rows if row.number == number).aliases
        if st.button(f"Promote v{number}…", disabled=is_live, type="primary"):
            _confirm_promotion(number)
        if st.button("Roll back…"):
            _confirm_rollback()
    table.html(table_html(rows, number))
    if said := st.session_state.pop("said", None):
        st.toast(said)
    return number


def _name(rows: Sequence[VersionRow], number: int) -> str:
    row = next(row for row in rows if row.number == number)
    return " · ".join([f"v{number}", *row.aliases])


@st.dialog("Promote")
def _confirm_promotion(number: int) -> None:
    st.text(f"v{number} becomes the champion: the next pictures are drawn with it. It can be rolled back.")
    _confirm(f"Promote v{number}", lambda reason: _promoted(number, reason))


@st.dialog("Roll back")
def _confirm_rollback() -> None:
    st.text("The champion before this one goes live again: the next pictures are drawn with it.")
    _confirm("Roll back", lambda reason: f"v{roll_back(engine(), reason)} is champion again")


def _promoted(number: int, reason: str) -> str:
    promote(engine(), number, reason)
    return f"v{number} is champion now"


def _confirm(label: str, act: Callable[[str], str]) -> None:
    with st.form("confirm", border=False):
        reason = st.text_input("Reason", placeholder="Kept in the history", max_chars=200)
        is_sure = st.form_submit_button(label, type="primary")
    if not is_sure:
        return
    try:
        st.session_state["said"] = act(reason.strip())
    except NaysayerError as error:
        st.html(alert(str(error)))
        return
    st.rerun()


def table_html(rows: Sequence[VersionRow], chosen: int | None = None) -> str:
    """The versions as a table, newest first, their intervals on one axis."""
    end = axis_end(rows)
    scale = "".join(f'<span style="left:{25 * part}%">{percent(end * part / 4)}</span>' for part in range(5))
    head = (
        '<th scope="col">Version</th><th scope="col">Thumbs down</th>'
        f'<th scope="col" class="wide">95 % interval<div class="scale">{scale}</div></th>'
        + "".join(f'<th scope="col">{name}</th>' for name in ("Judged", "Votes", "Raters", "Trained on", "Made"))
    )
    body = "".join(_row(row, end, row.number == chosen) for row in rows)
    return f'<div class="ns-table"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _row(row: VersionRow, end: float, is_chosen: bool) -> str:
    cells = (
        f"{row.judged:,}",
        f"{row.votes:,}",
        f"{row.raters:,}",
        plural(row.trained_on, "reject") if row.trained_on else "–",
        moment(row.created_at),
    )
    return (
        f'<tr class="{"chosen" if is_chosen else ""}"><th scope="row">v{row.number}{badges(row.aliases)}</th>'
        f"<td>{'–' if row.rate is None else percent(row.rate)}</td>"
        f'<td class="wide">{interval_bar(row.rate, row.interval, end, CHAMPION in row.aliases)}</td>'
        + "".join(f"<td>{cell}</td>" for cell in cells)
        + "</tr>"
    )
