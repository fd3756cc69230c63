"""The script behind every page; Streamlit runs it from the top on each visit and on each click."""

from pathlib import Path

import streamlit as st

from ui.overview import overview_page
from ui.playground import playground_page
from ui.rate import rate_page
from ui.versions import versions_page

st.set_page_config(page_title="Naysayer", page_icon="👎", layout="wide")
st.logo(str(Path(__file__).with_name("wordmark.svg")), size="large")
st.html(Path(__file__).with_name("pages.css"))
st.navigation(
    [
        st.Page(rate_page, title="Rate", url_path="rate", default=True),
        st.Page(overview_page, title="Overview", url_path="overview"),
        st.Page(versions_page, title="Versions", url_path="versions"),
        st.Page(playground_page, title="Playground", url_path="playground"),
    ],
    position="top",
).run()
