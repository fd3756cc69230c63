"""The same-seed grid as a component: filter, blind toggle and slider work in the browser, without a rerun."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from feedback.figures.summary import GridPair
from feedback.versions import PLAIN
from ui.web.pictures import image_url

PARTS = Path(__file__).with_name("grid")

_grid = st.components.v2.component(
    "naysayer_grid",
    html=(PARTS / "grid.html").read_text(encoding="utf-8"),
    css=(PARTS / "grid.css").read_text(encoding="utf-8"),
    js=(PARTS / "grid.js").read_text(encoding="utf-8"),
)


def show_grid(pairs: Sequence[GridPair], versions: Sequence[int], champion: int) -> None:
    """One row a pair, one column a version."""
    _grid(data=grid_data(pairs, versions, champion), key=f"grid {'-'.join(map(str, versions))}")


def grid_data(pairs: Sequence[GridPair], versions: Sequence[int], champion: int) -> dict[str, Any]:
    """What the browser is sent: texts and picture addresses, no HTML."""
    names = {str(n): f"v{n}{_role(n, champion)}" for n in versions}
    return {
        "versions": [str(n) for n in versions],
        "names": names,
        "pairs": [
            {
                "prompt": pair.prompt,
                "seed": str(pair.seed),
                "pictures": {
                    str(n): {
                        "url": image_url(pair.pictures[n]),
                        "outcome": pair.outcomes.get(n, "unrated"),
                    }
                    for n in versions
                    if n in pair.pictures
                },
            }
            for pair in pairs
            if any(n in pair.pictures for n in versions)
        ],
    }


def _role(number: int, champion: int) -> str:
    roles = [name for name, owner in (("base", PLAIN), ("champion", champion)) if owner == number]
    return f" ({', '.join(roles)})" if roles else ""
