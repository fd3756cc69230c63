"""The playground: one prompt and seed, two versions and a strength, side by side. The worker draws."""

from functools import partial
from typing import NamedTuple

import streamlit as st
from markupsafe import Markup

from feedback.figures.summary import newest_width, version_rows
from feedback.sample.requests import COMING, NO_WORKER, TRIED, DrawRequest, ask_drawing, is_worker_alive, task
from feedback.versions import get_version
from store.tables import Task, TaskStatus
from ui.signin.powers import fragment, guard, store_of
from ui.web.pieces import data_line, head
from ui.web.templates import render

PAGE = "Playground"
PX = 320
engine = partial(store_of, PAGE)


@guard(PAGE)
def playground_page() -> None:
    """The form, and what came of it."""
    rows = version_rows(engine())
    st.html(head("Playground", "nobody rates these pictures, and they train nothing"))
    if not rows:
        st.html(data_line("no versions yet: the plain base is recorded when the worker starts"))
        return
    numbers = [row.number for row in rows]
    names = {row.number: " · ".join([f"v{row.number}", *row.aliases]) for row in rows}

    def name(number: int) -> str:
        return names[number]

    with st.form("playground", border=False):
        prompt = st.text_input("Prompt", max_chars=2000, placeholder="a red star above a blue hand")
        with st.container(horizontal=True, vertical_alignment="bottom"):
            left = st.selectbox("Left", numbers, index=len(numbers) - 1, format_func=name, width=190)
            right = st.selectbox("Right", numbers, index=0, format_func=name, width=190)
            seed = st.number_input("Seed", min_value=0, max_value=2**32 - 1, value=7, step=1, width=150)
            own = get_version(engine(), max(numbers)).strength or 4.0
            strength = st.slider("Strength", 0.0, 10.0, float(own), 0.25, width=260)
            is_asked = st.form_submit_button("Draw", type="primary")
    if is_asked and prompt.strip():
        request = DrawRequest(prompt.strip(), int(seed), [left, right], strength)
        st.session_state["asked"] = ask_drawing(engine(), request)
    if number := st.session_state.get("asked"):
        _show(number)


@fragment(PAGE, run_every=0.5)
def _show(number: int) -> None:
    found = task(engine(), number)
    st.html(
        data_line("that drawing no longer exists; press Draw again")
        if found is None
        else drawn_html(found, newest_width(engine()), is_alive=is_worker_alive(engine()))
    )


class Side(NamedTuple):
    """One version's picture: `coming`, a small blurred one, while it is being drawn, then `sha256` and its tries."""

    version: int
    sha256: str | None
    coming: str | None
    tried: str


def drawn_html(found: Task, width: int, *, is_alive: bool = True) -> Markup:
    """Both pictures, `width` px wide, or how far the worker is."""
    asked = DrawRequest.of(found)
    done, wanted = sum(str(n) in found.answer for n in set(asked.versions)), len(set(asked.versions))
    said = {
        TaskStatus.waiting: "waiting for the worker, which draws it after its current batch" if is_alive else NO_WORKER,
        TaskStatus.running: "; ".join(filter(None, [f"{done} of {wanted} drawn", found.message])),
        TaskStatus.done: f"seed {asked.seed}" + ("" if asked.strength is None else f", strength {asked.strength:g}"),
        TaskStatus.failed: f"not drawn: {found.message}",
    }[found.status]
    given = found.answer.get
    sides = [Side(n, given(str(n)), given(f"{n} {COMING}"), given(f"{n} {TRIED}", "")) for n in asked.versions]
    return render("dashboard/html/drawn.html", sides=sides, prompt=asked.prompt, said=said, width=width, px=PX)
