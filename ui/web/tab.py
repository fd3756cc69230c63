"""What the browser's tab and its history say of a page."""

import streamlit as st

OURS = "Naysayer"


def name_tab(*parts: str) -> None:
    """Gives the tab a title, the most particular part first: "v3 · Versions · Naysayer"."""
    st.set_page_config(page_title=" · ".join((*parts, OURS)))
