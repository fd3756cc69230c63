"""Charts of one version: its fit, and its strengths."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st
from markupsafe import Markup

from feedback.retrain.progress import thin
from feedback.workers import span
from store.phrases import plural
from store.tables import Version
from ui.dashboard.charts import draw, ink
from ui.web.pieces import data_line, verdict
from ui.web.templates import render

MEASURES = {
    "guidance_scale": "guidance",
    "push": "push",
    "diversity": "diversity",
    "contrast": "contrast",
    "saturation": "saturation",
    "judged": "votes",
    "expected": "rejects expected",
    "rejects": "rejected",
}
MEANING = (
    "push: how hard the version steers for each unit with which the prompt does; at most 0.6 is allowed",
    "contrast, saturation and diversity (how much the pictures differ from one another) as multiples of the base’s; "
    "allowed are 0.8 to 1.25, 0.8 to 1.25, and 0.5 or more",
    "a strength helps only where the check expects fewer rejects",
)
KEPT = "pictures keep enough of the base’s variety, contrast and colour"
CURVES = {"loss": "loss", "gradient_norm": "gradient norm", "learning_rate": "learning rate"}


def show_curves(version: Version) -> None:
    """Loss, gradient norm and learning rate by step."""
    if not version.curve:
        st.html(data_line("no curves were recorded: nothing was trained"))
        return
    st.html(data_line(*curve_words(version)))
    held_out = [{"step": p["step"], "value": p["held_out"], "on": "held out"} for p in version.curve if "held_out" in p]
    for key, title in CURVES.items():
        points = thin(version.curve, key) if all(key in p for p in version.curve) else []
        drawn = [{"step": p["step"], "value": p[key], "on": "training"} for p in points]
        if drawn:
            draw(_line(drawn + held_out if key == "loss" else drawn, title))


def curve_words(version: Version) -> list[str]:
    """How a fit went, in words.

    >>> curve_words(Version(number=1, train_seconds=9, curve=[{"step": n, "loss": 1 - n / 10} for n in (1, 2)]))
    ['2 steps in 9 s', 'loss from 0.900 to 0.800']
    """
    losses = [point["loss"] for point in thin(version.curve, most=20)]
    held_out = [point["held_out"] for point in version.curve if "held_out" in point]
    words = [f"{plural(len(version.curve), 'step')} in {span(version.train_seconds)}"]
    words.append(f"loss from {losses[0]:.3f} to {losses[-1]:.3f}")
    return [*words, f"on held-out pictures from {held_out[0]:.3f} to {held_out[-1]:.3f}"] if held_out else words


def show_strengths(version: Version) -> None:
    """What the version draws at several strengths, where that was measured."""
    swept: list[dict[str, float]] = version.strength_curve or []
    st.html(verdict(strength_words(version)))
    if swept:
        st.html(strengths_html(swept))
        st.html(data_line(*MEANING))


def strength_words(version: Version) -> str:
    """At which strength a version draws, why, and whether a stronger one was tried.

    >>> strength_words(Version(number=1, rule="same-prompt", strength=2.0))
    'v1 draws at strength 2; no other strength was measured.'
    """
    swept: list[dict[str, float]] = version.strength_curve or []
    name, chosen, tried = (
        f"v{version.number}",
        f"Strength {version.strength:g} was chosen",
        f"{len(swept)} that were tried",
    )
    if len(swept) == 1 and swept[0]["passes"]:
        return f"{name} draws at strength {version.strength:g}, where {KEPT}. No other one was tried."
    if len(swept) < 2:
        return f"{name} draws at strength {version.strength:g}; no other strength was measured."
    if not any(point["passes"] for point in swept):
        return f"{chosen}, the weakest of {tried}: {name} passes every guard at none of them."
    if all(point["passes"] for point in swept):
        return f"{chosen}, the strongest of {tried}: at all of them {KEPT}. A stronger one may help more."
    return f"{chosen}: the strongest of {tried} at which {KEPT}. The next one {_why_not(version.strength, swept)}."


def _why_not(strength: float, swept: Sequence[Mapping[str, float]]) -> str:
    after = min((point for point in swept if point["strength"] > strength), key=lambda point: point["strength"])
    return "would not help, says the check" if after.get("expected", -1.0) >= 0 else "was too strong"


def strengths_html(swept: Sequence[Mapping[str, float]]) -> Markup:
    """One row a strength: what was measured there, and whether the guards allow it."""
    measures = {name: title for name, title in MEASURES.items() if any(name in point for point in swept)}
    return render("dashboard/versions/html/strengths.html", measures=measures, swept=swept)


def _line(points: Sequence[dict[str, Any]], title: str) -> Any:
    import altair as alt  # here, because it takes a second to load

    names = sorted({str(point["on"]) for point in points}, reverse=True)
    return (
        alt.Chart(alt.Data(values=list(points)))
        .mark_line(strokeWidth=2, point=len(points) < 30)
        .encode(
            x=alt.X("step:Q", title="training step", axis=alt.Axis(grid=False)),
            y=alt.Y("value:Q", title=title, scale=alt.Scale(zero=False)),
            color=alt.Color(
                "on:N",
                title=None,
                scale=alt.Scale(domain=names, range=[ink().first, ink().second][: len(names)]),
                legend=alt.Legend(orient="top") if len(names) > 1 else None,
            ),
            tooltip=["step:Q", "on:N", alt.Tooltip("value:Q", format=".5f")],
        )
        .properties(height=260)
    )
