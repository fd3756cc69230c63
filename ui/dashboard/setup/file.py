"""A button that reads a file in the browser, because Streamlit's own uploads are closed."""

import base64
import binascii
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import streamlit as st

from feedback.sample.lists.rows import READERS

PARTS = Path(__file__).with_name("file")
MAX_BYTES = 1_000_000  # with room for base64 below the most that a message of a page may hold

_file = st.components.v2.component(
    "naysayer_file",
    html=(PARTS / "file.html").read_text(encoding="utf-8"),
    css=(PARTS / "file.css").read_text(encoding="utf-8"),
    js=(PARTS / "file.js").read_text(encoding="utf-8"),
)


class Given(NamedTuple):
    """A file that somebody chose; its name holds no folder."""

    path: Path
    content: bytes


def ask_list(key: str) -> Given | None:
    """Draws the button; the list of prompts or pairs that was chosen, once."""
    data = {"accept": ",".join(READERS), "most": MAX_BYTES}
    return given_of(_file(key=key, data=data, width="content", on_chosen_change=lambda: None).get("chosen"))


def given_of(sent: Any) -> Given | None:
    """What a browser sent, where it is a file."""
    if not isinstance(sent, Mapping):
        return None
    name, content = sent.get("name"), sent.get("content")
    if not isinstance(name, str) or not isinstance(content, str):
        return None
    try:
        return Given(Path(Path(name).name or "list"), base64.b64decode(content, validate=True))
    except (binascii.Error, ValueError):
        return None
