"""Rows of the page's lists as a component: choosing and its buttons need no rerun until one of them is pressed."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import streamlit as st

from ui.dashboard.setup.desk import SAID
from ui.web.templates import render

PARTS = Path(__file__).with_name("rows")
MOST_CHOSEN = 1000

_rows = st.components.v2.component(
    "naysayer_rows",
    html='<div class="rows"></div>',
    css=(PARTS / "rows.css").read_text(encoding="utf-8"),
    js=(PARTS / "rows.js").read_text(encoding="utf-8"),
)


class Pressed(NamedTuple):
    """A button that was pressed, and the rows it is for."""

    action: str
    ids: list[str]


def show_rows(name: str, template: str, **values: object) -> Pressed | None:
    """Draws a template of the page as rows; the button that was pressed in them, once.

    In the template, `data-do` on a button names the action and `data-id` its row; one without an id is for the rows
    whose boxes (`name="chosen"`) are ticked.
    """
    html = render(f"dashboard/setup/html/{template}", **values)
    found = _rows(key=f"rows {name}", data={"html": str(html)}, on_pressed_change=lambda: None)
    pressed = pressed_of(found.get("pressed"))
    if pressed is not None:
        st.session_state.pop(SAID, None)
    return pressed


def pressed_of(sent: Any) -> Pressed | None:
    """What a browser sent, where it is what a button sends."""
    if not isinstance(sent, Mapping) or not isinstance(sent.get("do"), str) or not isinstance(sent.get("ids"), list):
        return None
    return Pressed(sent["do"], [str(one)[:80] for one in sent["ids"][:MOST_CHOSEN]])


def numbers_of(pressed: Pressed) -> list[int]:
    """The rows of a button, where they are numbers."""
    return [int(one) for one in pressed.ids if one.isascii() and one.isdigit() and len(one) < 10]
