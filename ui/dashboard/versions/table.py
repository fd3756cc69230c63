"""The versions as a table on a shared axis; its rows open by click and by keyboard."""

from collections.abc import Mapping, Sequence

import streamlit as st
from markupsafe import Markup

from feedback.figures.summary import VersionRow
from feedback.gate.evidence import LORA_FILES
from feedback.gate.gate import Evidence, evidence_words
from store.layout import layout_of
from ui.dashboard.versions.card import part
from ui.web.pieces import axis_end
from ui.web.process import settings
from ui.web.templates import render

# Not isolated: the table is dressed by the pages' own stylesheet.
_table = st.components.v2.component(
    "naysayer_versions",
    html='<div class="ns-versions"></div>',
    css=part("table/table.css"),
    js=part("table/table.js"),
    isolate_styles=False,
)


def show_table(rows: Sequence[VersionRow], chosen: int, evidence: Mapping[int, Evidence]) -> int | None:
    """Draws the table; the version whose row was opened."""
    html = str(table_html(rows, chosen, evidence))
    opened = _table(data={"html": html}, key="versions table", on_opened_change=lambda: None).opened
    return None if opened is None else int(opened)


def table_html(
    rows: Sequence[VersionRow], chosen: int | None = None, evidence: Mapping[int, Evidence] | None = None
) -> Markup:
    """The versions as a table, newest first, their intervals on one axis."""
    return render(
        "dashboard/versions/html/versions.html",
        rows=rows,
        chosen=chosen,
        evidence=evidence or {},
        end=axis_end(row.interval for row in rows if row.rate is not None),
        evidence_words=evidence_words,
        is_missing=_is_missing,
    )


def _is_missing(sha256: str) -> bool:
    """Whether a LoRA file is known to be absent; hashes are compared when it is handed out and before a promotion."""
    layout = layout_of(settings())
    folder = layout.version_folder(sha256)
    if layout.bucket_url and not folder.is_dir():  # it is fetched when somebody asks for it
        return False
    return not all((folder / name).is_file() for name, _ in LORA_FILES)
