"""The script behind every page. Streamlit runs it from the top on each visit and on each click."""

from pathlib import Path

import streamlit as st

from store.errors import NotSignedIn
from ui.dashboard.overview import overview_page
from ui.dashboard.playground import playground_page
from ui.dashboard.pool import pool_page
from ui.dashboard.raters import raters_page
from ui.dashboard.versions import versions_page
from ui.dashboard.warnings import under_warnings
from ui.rate.rate import rate_page
from ui.signin.people import MAY_OPEN, identify_viewer
from ui.signin.powers import refused_page
from ui.web.pieces import alert

st.set_page_config(page_title="Naysayer", page_icon="👎", layout="wide")
st.logo(str(Path(__file__).with_name("wordmark.svg")), size="large")
st.html(Path(__file__).with_name("pages.css"))
PAGES = {
    "Rate": rate_page,  # a rater is told nothing of versions
    "Overview": overview_page,  # has the warnings in a card
    **{
        title: under_warnings(title, draw)
        for title, draw in (
            ("Pool", pool_page),
            ("Versions", versions_page),
            ("Raters", raters_page),
            ("Playground", playground_page),
        )
    },
}


def refuse_stranger() -> None:
    """Draws the sentence for somebody whose invitation ended while this page was open."""
    st.html(alert(sentence))


try:
    mine = MAY_OPEN[identify_viewer().role]
    pages = [
        st.Page(
            draw if title in mine else refused_page(title),
            title=title,
            url_path=title.lower(),
            default=title == "Rate",
            visibility="visible" if title in mine else "hidden",
        )
        for title, draw in PAGES.items()
    ]
except NotSignedIn as error:
    sentence = str(error)
    pages = [st.Page(refuse_stranger, title="Sign in", url_path="sign-in", default=True)]
st.navigation(pages, position="top").run()
