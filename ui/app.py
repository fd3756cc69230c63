"""The script behind every page. Streamlit runs it from the top on each visit and on each click."""

from pathlib import Path

import streamlit as st

from store.errors import NotSignedIn
from ui.dashboard.live.news import tell_news
from ui.pages import PAGES
from ui.signin.people import MAY_OPEN, identify_viewer
from ui.signin.powers import refused_page
from ui.web.pieces import alert, head, name_tab

st.set_page_config(page_title="Naysayer", page_icon="👎", layout="wide")
st.logo(str(Path(__file__).with_name("wordmark.svg")), size="large")
st.html(Path(__file__).with_name("pages.css"))
for style in ("live/live.css", "html/figures.css"):
    st.html(Path(__file__).parent / "dashboard" / style)


def refuse_stranger() -> None:
    """Draws the sentence for somebody whose invitation ended while this page was open."""
    st.html(head("Sign in") + alert(sentence))


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
tell_news()
opened = st.navigation(pages, position="top")
name_tab(opened.title)
opened.run()
