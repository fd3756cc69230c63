"""The page the rating page is compared with: pictures in a folder, `st.image`, `st.button`, a row for each vote.

streamlit run bench/rate/naive_page.py -- FOLDER
"""

import sqlite3
import sys
from pathlib import Path

import streamlit as st

folder = Path(sys.argv[1])
pictures = sorted(folder.glob("*.png"))
place = st.session_state.setdefault("place", 0)


def vote(verdict: str) -> None:
    with sqlite3.connect(folder / "votes.db") as store:
        store.execute("CREATE TABLE IF NOT EXISTS vote (picture TEXT, verdict TEXT)")
        store.execute("INSERT INTO vote VALUES (?, ?)", (pictures[place % len(pictures)].name, verdict))
    st.session_state.place += 1


st.image(pictures[place % len(pictures)].read_bytes())
st.button("Reject", shortcut="j", on_click=vote, args=("reject",))
st.button("Keep", shortcut="k", on_click=vote, args=("keep",))
