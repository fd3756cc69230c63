"""The versions page: a table on a shared axis, what the pairs say, the actions, and the tabs of one version."""

from collections.abc import Mapping, Sequence
from functools import partial

import streamlit as st
from markupsafe import Markup

from feedback.figures.summary import VersionRow, version_rows
from feedback.gate.by_hand import list_objections, promote_by_hand
from feedback.gate.evidence import LORA_FILES, evidence_rows
from feedback.gate.gate import RULE, Evidence, evidence_words, what_follows
from feedback.runs import ask_for_retrain, latest_run, stop_retrain
from feedback.sample.requests import NO_WORKER, is_worker_alive
from feedback.versions import PLAIN, get_version, roll_back, withdraw
from store.engine import reading
from store.layout import layout_of
from store.phrases import plural
from store.tables import RunStatus
from ui.dashboard.version_details import show_inside
from ui.signin.powers import dialog, guard, store_of
from ui.web.dialog import confirm, show_done
from ui.web.pieces import alert, axis_end, head
from ui.web.process import settings
from ui.web.templates import render

PAGE = "Versions"
CHAMPION = "champion"
engine = partial(store_of, PAGE)


@guard(PAGE)
def versions_page() -> None:
    """Every version, and the chosen one in detail."""
    rows = version_rows(engine())
    if not rows:
        st.html(head("Versions", "no versions yet: the plain base is recorded when the first pictures are drawn"))
        return
    number = _choose(rows)
    version = get_version(engine(), number)
    show_inside(engine(), version, next(row.number for row in rows if CHAMPION in row.aliases))


def _choose(rows: Sequence[VersionRow]) -> int:
    """The number of the chosen version, once the table, the choice and the buttons are drawn."""
    votes, judged = sum(row.votes for row in rows), sum(row.judged for row in rows)
    based_on = f"{plural(votes, 'vote')} on sampled pictures", f"{plural(judged, 'sampled picture')} judged"
    meaning = "thumbs-down rate: share of the judged pictures that are rejected"
    st.html(head("Versions", *based_on, meaning))
    table = st.container()
    evidence = evidence_rows(engine(), [row.number for row in rows])
    with st.container(horizontal=True, vertical_alignment="bottom"):
        numbers = [row.number for row in rows]
        number = st.selectbox("Look at", numbers, format_func=lambda n: _name(rows, n), width=220, key="version")
        chosen = next(row for row in rows if row.number == number)
        _buttons(chosen)
    table.html(table_html(rows, number, evidence) + conclusion_html(chosen, evidence.get(number)))
    show_done()
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
            _confirm_stop(run.id)
    elif st.button("Retrain now…"):
        _confirm_retrain()


def _name(rows: Sequence[VersionRow], number: int) -> str:
    row = next(row for row in rows if row.number == number)
    return " · ".join([f"v{number}", *row.aliases, *(["withdrawn"] if row.is_withdrawn else [])])


@dialog(PAGE, "Promote")
def _confirm_promotion(number: int) -> None:
    st.text(f"v{number} becomes the champion and draws the new pictures that do not come from the plain base.")
    against, layout = list_objections(engine(), layout_of(settings()), number), layout_of(settings())
    is_forced = False
    if against:
        st.html(alert(f"Against it: {'; '.join(against)}."))
        is_forced = st.checkbox("Promote it anyway")

    def act(reason: str) -> str:
        promote_by_hand(engine(), layout, number, reason, force=is_forced)
        return f"v{number} is now champion"

    confirm(f"Promote v{number}", act)


@dialog(PAGE, "Roll back")
def _confirm_rollback() -> None:
    st.text("The previous champion goes live again and draws the new pictures that do not come from the plain base.")
    confirm("Roll back", lambda reason: f"v{roll_back(engine(), reason)} is champion again")


@dialog(PAGE, "Withdraw")
def _confirm_withdrawal(number: int) -> None:
    st.text(f"v{number} goes out of use for good: its unrated pictures are dropped, and it cannot be promoted again.")

    def act(reason: str) -> str:
        return f"v{number} is withdrawn, v{withdraw(engine(), number, reason)} is champion"

    confirm(f"Withdraw v{number}", act)


@dialog(PAGE, "Retrain now")
def _confirm_retrain() -> None:
    st.text("The worker fits a new version on today's pool, whether a retrain is due or not.")

    def act(reason: str) -> str:
        ask_for_retrain(engine(), reason)
        return "the worker will retrain next" if is_worker_alive(engine()) else f"asked for, but {NO_WORKER}"

    confirm("Retrain now", act)


@dialog(PAGE, "Stop the retrain")
def _confirm_stop(run_id: int | None) -> None:
    st.text("The running retrain stops after its current step and makes no version; the next one starts from scratch.")

    def act(reason: str) -> str:
        stop_retrain(engine(), reason, run_id)
        return "the retrain stops after its current step"

    confirm("Stop the retrain", act)


def table_html(
    rows: Sequence[VersionRow], chosen: int | None = None, evidence: Mapping[int, Evidence] | None = None
) -> Markup:
    """The versions as a table, newest first, their intervals on one axis."""
    return render(
        "dashboard/html/versions.html",
        rows=rows,
        chosen=chosen,
        evidence=evidence or {},
        end=axis_end(rows),
        evidence_words=evidence_words,
        is_missing=_is_missing,
    )


def conclusion_html(row: VersionRow, evidence: Evidence | None) -> Markup:
    """What may be concluded of a version beside the champion, what not, and the rule of promotion."""
    if evidence is None:
        said = f"v{row.number} is the champion; the other versions are compared with it."
    elif row.is_withdrawn:
        said = f"v{row.number} was withdrawn."
    else:
        said = f"v{row.number}: {what_follows(evidence)}"
    return render("dashboard/html/conclusion.html", said=said, rule=RULE)


def _is_missing(sha256: str) -> bool:
    """Whether a LoRA file is absent; the hashes are compared on the version's own tabs and before a promotion."""
    folder = layout_of(settings()).version_folder(sha256)
    return not all((folder / name).is_file() for name, _ in LORA_FILES)
