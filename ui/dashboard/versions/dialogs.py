"""The dialogs about versions: what will happen, the evidence, a reason, Cancel."""

from functools import partial

import streamlit as st

from feedback.gate.advice import Advice, sureness_words
from feedback.gate.by_hand import list_objections, promote_by_hand, set_aside
from feedback.gate.gate import Conclusion
from feedback.retrain.manifest import refuse_too_few
from feedback.runs import ask_for_retrain, stop_retrain
from feedback.succession import replaced_by
from feedback.versions import champion, roll_back, withdraw
from feedback.workers import NO_WORKER, is_worker_alive
from store.engine import reading
from store.layout import layout_of
from ui.dashboard.versions.card import compared_now, show_card
from ui.signin.powers import dialog, store_of
from ui.web.dialog import confirm
from ui.web.pieces import alert
from ui.web.process import settings

PAGE = "Versions"
DRAWS = "draws the new pictures that do not come from the plain base"
engine = partial(store_of, PAGE)


def open_dialog(advice: Advice, number: int) -> None:
    """The dialog of a card's button."""
    match advice:
        case Advice.promote:
            confirm_promotion(number)
        case Advice.roll_back:
            confirm_rollback()
        case Advice.set_aside:
            confirm_setting_aside(number)


@dialog(PAGE, "Promote", width="large")
def confirm_promotion(number: int) -> None:
    """Promotes a version; what speaks against it is said first."""
    live = champion(engine()).number
    st.text(f"v{number} takes over from v{live} as champion and {DRAWS}. You can roll back at any time.")
    against, layout = list_objections(engine(), layout_of(settings()), number), layout_of(settings())
    is_forced = False
    if against:
        st.html(alert(f"Against it: {'; '.join(against)}."))
        is_forced = st.checkbox("Promote it anyway")
    evidence = compared_now(engine(), number, live).evidence
    if evidence.conclusion is Conclusion.not_yet_known:
        st.html(alert(sureness_words(evidence)))
    _show_evidence(number, live)

    def act(reason: str) -> str:
        promote_by_hand(engine(), layout, number, reason, force=is_forced)
        return f"v{number} is now champion"

    confirm(f"Promote v{number}", act)


@dialog(PAGE, "Roll back", width="large")
def confirm_rollback() -> None:
    """Restores the champion before."""
    live = champion(engine()).number
    with reading(engine()) as session:
        before = replaced_by(session, live)
    if before is None:
        st.text(f"v{live} is the first champion; there is no earlier one to go back to.")
        return
    st.text(f"v{before} takes over from v{live} again as champion and {DRAWS}. v{live} can be promoted again.")
    _show_evidence(live, before)
    confirm("Roll back", lambda reason: f"v{roll_back(engine(), reason)} is champion again")


@dialog(PAGE, "Set aside", width="large")
def confirm_setting_aside(number: int) -> None:
    """Ends a challenge."""
    live = champion(engine()).number
    st.text(
        f"v{number} stops challenging: its pairs leave the pictures to rate, and v{live} stays champion. "
        f"v{number} can still be promoted."
    )
    _show_evidence(number, live)

    def act(reason: str) -> str:
        set_aside(engine(), number, reason)
        return f"v{number} is set aside"

    confirm(f"Set v{number} aside", act)


@dialog(PAGE, "Withdraw", width="large")
def confirm_withdrawal(number: int) -> None:
    """Takes a version out of use."""
    st.text(f"v{number} goes out of use: its unrated pictures are dropped.")
    st.html(alert(f"This cannot be undone: v{number} can never be promoted again."))

    def act(reason: str) -> str:
        return f"v{number} is withdrawn, v{withdraw(engine(), number, reason)} is champion"

    confirm(f"Withdraw v{number}", act, is_final=True)


@dialog(PAGE, "Retrain now")
def confirm_retrain() -> None:
    """Asks for a retrain."""
    st.text("The worker fits a new version on today's pool, whether a retrain is due or not.")

    def act(reason: str) -> str:
        refuse_too_few(engine(), settings().rater_share)
        ask_for_retrain(engine(), reason)
        return "the worker will retrain next" if is_worker_alive(engine()) else f"asked for, but {NO_WORKER}"

    confirm("Retrain now", act)


@dialog(PAGE, "Stop the retrain")
def confirm_stop(run_id: int | None) -> None:
    """Stops the running retrain."""
    st.text("The running retrain stops after its current step and makes no version; the next one starts from scratch.")

    def act(reason: str) -> str:
        stop_retrain(engine(), reason, run_id)
        return "the retrain stops after its current step"

    confirm("Stop the retrain", act)


def _show_evidence(new: int, old: int) -> None:
    if new != old:
        show_card(compared_now(engine(), new, old), f"evidence {new} {old}", has_acts=False)
