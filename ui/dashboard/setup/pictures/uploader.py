"""The place where files are dropped: a component that sends each to its route, so that no page holds one in memory."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import streamlit as st

from feedback.exchange.pictures.sources import PICTURES
from feedback.metadata.files.opened import MAX_BYTES
from feedback.metadata.files.sidecar import ENDINGS as SIDECARS
from ui.dashboard.setup.pictures.tray import ARCHIVE, LISTS, MOST_FILES
from ui.web.process import settings
from ui.web.receiving import MOST_AT_ONCE

PARTS = Path(__file__).with_name("parts")

_uploader = st.components.v2.component(
    "naysayer_pictures",
    html=(PARTS / "uploader.html").read_text(encoding="utf-8"),
    css=(PARTS / "uploader.css").read_text(encoding="utf-8"),
    js=(PARTS / "uploader.js").read_text(encoding="utf-8"),
)


def ask_files(tray: str) -> int:
    """Draws the place; how many files arrived, once, when all are there."""
    data = {
        "address": settings().below(f"/naysayer/pictures/{tray}"),
        "endings": [*PICTURES, *SIDECARS, *LISTS, ARCHIVE, ".html"],
        "mostFiles": MOST_FILES,
        "mostBytes": MOST_AT_ONCE,
        "mostBytesEach": MAX_BYTES,
    }
    return count_of(_uploader(key=f"files {tray}", data=data, on_sent_change=lambda: None).get("sent"))


def count_of(sent: Any) -> int:
    """What a browser says that it sent; 0 for anything else."""
    count = sent.get("files") if isinstance(sent, Mapping) else 0
    return count if isinstance(count, int) and not isinstance(count, bool) and count > 0 else 0
