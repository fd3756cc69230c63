"""The dialog that proposes another strength of a version."""

from functools import partial

import streamlit as st

from feedback.gate.advice import rule_in_force
from feedback.gate.proposal import propose_strength
from feedback.policy import promotion_mode
from feedback.sample.evaluation import count_pairs
from feedback.succession import compared
from feedback.versions import champion, get_version
from store.engine import reading
from store.layout import layout_of
from ui.dashboard.versions.curves import show_strengths
from ui.signin.powers import dialog, store_of
from ui.web.dialog import confirm
from ui.web.pieces import data_line
from ui.web.process import settings

PAGE = "Playground"
engine = partial(store_of, PAGE)


@dialog(PAGE, "Propose a strength", width="large")
def confirm_proposal(number: int, strength: float) -> None:
    """Makes a version of another strength: what will happen, what is known, a reason."""
    version, live = get_version(engine(), number), champion(engine()).number
    with reading(engine()) as session:
        running = compared(session)
    ended = f" v{running.new} no longer challenges it." if running and not running.is_live else ""
    st.text(
        f"A new version is made: the LoRA of v{number} at strength {strength:g} instead of {version.strength:g}. It "
        f"challenges the champion v{live}: both draw the same prompts and seeds, and people rate the pairs blind."
        f"{ended}"
    )
    st.html(data_line(rule_in_force(promotion_mode(settings()), count_pairs(engine()))))
    st.html(data_line(f"no pair has compared strength {strength:g} yet, so nothing says that it is better"))
    show_strengths(version)

    def act(reason: str) -> str:
        made = propose_strength(engine(), layout_of(settings()), number, strength, reason)
        return f"v{made} is v{number} at strength {strength:g}, and a challenger now"

    confirm(f"Propose strength {strength:g}", act)
