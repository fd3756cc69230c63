"""Guidelines: what raters are asked to look for, as Markdown; every version is kept."""

from functools import partial

import streamlit as st

from feedback.rate.guidelines import MAX_CHARACTERS, current_guidelines, list_guidelines, write_guidelines
from ui.dashboard.setup.desk import PAGE, about, act, engine
from ui.signin.powers import require
from ui.web.templates import markdown_html, render

EXAMPLE = (
    "Reject a picture when…\n\n- a hand has too few or too many fingers\n- something the prompt asks for is missing"
)


def show_guidelines() -> None:
    """The whole part."""
    about("Raters see these on their first visit, when they change, and by the key G. Each vote remembers the version.")
    versions = list_guidelines(engine())
    newest = versions[0].text if versions else ""
    writing, reading = st.columns(2, gap="large")
    with writing:
        text = st.text_area(
            "Guidelines, in Markdown", newest, height=360, max_chars=MAX_CHARACTERS, placeholder=EXAMPLE
        )
        label = f"Save as version {len(versions) + 1}" if text.strip() or not newest else "Take the guidelines away"
        if st.button(label, type="primary"):
            act(partial(_save, text))
    with reading:
        st.html(render("dashboard/setup/html/guidelines.html", html=markdown_html(text), versions=versions))


def _save(text: str) -> list[str]:
    number = write_guidelines(engine(), text, require(PAGE).name)
    if current_guidelines(engine()) is None:
        return ["the guidelines were taken away; raters are shown none"]
    return [f"saved as version {number}; each rater is shown it with the next pictures"]
