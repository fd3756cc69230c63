"""The script behind every page; Streamlit runs it from the top on each visit and on each click."""

from pathlib import Path

import streamlit as st

from store.errors import NotSignedIn
from store.tables import PersonRole
from ui.overview import overview_page
from ui.people import at_screen, sign_in_page
from ui.pool import pool_page
from ui.rate import rate_page
from ui.raters import raters_page
from ui.versions import versions_page

st.set_page_config(page_title="Naysayer", page_icon="👎", layout="wide")
st.logo(str(Path(__file__).with_name("wordmark.svg")), size="large")
st.html(Path(__file__).with_name("pages.css"))
RATE = st.Page(rate_page, title="Rate", url_path="rate", default=True)
CURATE = [
    st.Page(overview_page, title="Overview", url_path="overview"),
    st.Page(pool_page, title="Pool", url_path="pool"),
]
ADMINISTER = [
    st.Page(versions_page, title="Versions", url_path="versions"),
    st.Page(raters_page, title="Raters", url_path="raters"),
]


def pages_for(role: PersonRole) -> list[st.Page]:
    """The pages of a role; a page that is not listed is not served."""
    more = {PersonRole.rater: [], PersonRole.curator: CURATE, PersonRole.admin: [*CURATE, *ADMINISTER]}
    return [RATE, *more[role]]


try:
    pages = pages_for(at_screen().role)
except NotSignedIn:
    pages = [st.Page(sign_in_page, title="Sign in", url_path="sign-in", default=True)]
st.navigation(pages, position="top").run()
