"""The same-seed pairs of two versions as a component: filter, blind and the enlarged view work without a rerun."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from feedback.figures.summary import GridPair
from ui.dashboard.versions.card import part
from ui.web.pictures import image_url

SAID = {"reject": "rejected", "keep": "kept", "disputed": "disputed", "unrated": ""}

_grid = st.components.v2.component(
    "naysayer_grid",
    html=part("grid/grid.html").replace("VIEWER", part("viewer/viewer.html")),
    css=part("viewer/colours.css", "viewer/viewer.css", "grid/grid.css"),
    js=part("viewer/viewer.js", "grid/grid.js"),
)


def show_grid(pairs: Sequence[GridPair], new: int, old: int) -> None:
    """The pairs that both versions have drawn, the older one left."""
    _grid(data=grid_data(pairs, new, old), key=f"grid {new} {old}")


def grid_data(pairs: Sequence[GridPair], new: int, old: int) -> dict[str, Any]:
    """What the browser is sent: texts and picture addresses, no HTML."""
    return {
        "pairs": [
            {
                "prompt": pair.prompt,
                "seed": str(pair.seed),
                "kind": kind_of(pair.outcomes.get(new, ""), pair.outcomes.get(old, "")),
                "sides": [
                    {
                        "url": image_url(pair.pictures[number]),
                        "name": f"v{number}",
                        "said": SAID[pair.outcomes.get(number, "unrated")],
                    }
                    for number in (old, new)
                ],
            }
            for pair in pairs
            if {new, old} <= pair.pictures.keys()
        ]
    }


def kind_of(new: str, old: str) -> str:
    """What became of a pair.

    >>> kind_of("keep", "reject"), kind_of("reject", "keep"), kind_of("keep", "keep"), kind_of("keep", "unrated")
    ('better', 'worse', 'same', 'open')
    """
    if not {new, old} <= {"keep", "reject"}:
        return "open"
    if new == old:
        return "same"
    return "better" if new == "keep" else "worse"
