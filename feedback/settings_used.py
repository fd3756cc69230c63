"""Under which settings pictures were last drawn, so that a retrain under others says so."""

import json
from typing import Any

from store.files import make_folder, write_file
from store.layout import Layout
from store.settings import Settings
from store.settings.serving import OF_THE_PAGES
from store.settings.shared import OF_EACH_MACHINE
from store.settings.sources import NOT_KEPT

NOT_COMPARED = {*OF_THE_PAGES, *OF_EACH_MACHINE, *NOT_KEPT, "store_url", "webhook_url", "device"}
"""What may differ from process to process, and what must not be written down."""


def remember(layout: Layout, settings: Settings) -> None:
    """Writes down the settings of a worker that begins to draw."""
    make_folder(layout.root)
    write_file(layout.settings_used, json.dumps(_compared(settings), indent=1).encode())


def warning(layout: Layout, settings: Settings) -> str:
    """How these settings differ from those that last drew, in a sentence; empty when they do not."""
    try:
        drew = json.loads(layout.settings_used.read_bytes())
    except (OSError, ValueError):
        return ""  # nothing was drawn yet, or the file was cut short
    mine = _compared(settings)
    differing = [
        f"{name} {_words(drew[name])} there, {_words(mine[name])} here"
        for name in mine
        if name in drew and drew[name] != mine[name]
    ]
    if not differing:
        return ""
    return (
        f"this retrain runs under other settings than those that last drew: {'; '.join(differing)}; "
        "`naysayer set` or `naysayer schedule --keep` makes them agree"
    )


def _compared(settings: Settings) -> dict[str, Any]:
    return settings.model_dump(mode="json", exclude=NOT_COMPARED)


def _words(value: Any) -> str:
    return "is empty" if value in (None, "") else f"is {value}"
