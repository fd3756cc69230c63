"""The page Setup: prompts, pictures, people, programs, settings, controls and evaluation sets, for admins."""

from collections.abc import Callable
from pathlib import Path

import streamlit as st

from ui.dashboard.setup.controls import show_controls
from ui.dashboard.setup.desk import PAGE, PART, show_said
from ui.dashboard.setup.evaluation import show_evaluation
from ui.dashboard.setup.guidelines import show_guidelines
from ui.dashboard.setup.invitations import show_invitations
from ui.dashboard.setup.pictures.part import show_pictures
from ui.dashboard.setup.prompts import show_prompts
from ui.dashboard.setup.settings import show_settings
from ui.dashboard.setup.tokens import show_tokens
from ui.signin.powers import guard
from ui.web.pieces import head, name_tab

PARTS: dict[str, Callable[[], None]] = {
    "Prompts": show_prompts,
    "Pictures": show_pictures,
    "Invitations": show_invitations,
    "API tokens": show_tokens,
    "Guidelines": show_guidelines,
    "Settings": show_settings,
    "Controls": show_controls,
    "Evaluation sets": show_evaluation,
}


@guard(PAGE)
def setup_page() -> None:
    """The part that the address names (`?part=Prompts`); the others are not drawn."""
    st.html(Path(__file__).with_name("setup.css"))
    st.html(head(PAGE, "what you may change while it runs; the command line does the same"))
    for name, tab in zip(PARTS, st.tabs(list(PARTS), key=PART, bind="query-params"), strict=True):
        if tab.open:
            name_tab(name, PAGE)
            with tab:
                show_said(name)
                PARTS[name]()
