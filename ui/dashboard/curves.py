"""Charts: the fit of a version, its strengths, and the loop over time."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st
from markupsafe import Markup

from feedback.figures.trend import Day, Growth
from store.tables import Action, AliasEvent, Version
from ui.web.pieces import data_line
from ui.web.templates import render

NO, YES, SOFT = "#c65a3f", "#3f8f7c", "#8d857a"
COLOURS = ["#8d857a", "#c65a3f", "#3f8f7c", "#c79a3a", "#5b7db1", "#8c5a8f", "#4f9aa8", "#a0723f"]
MEASURES = {
    "guidance_scale": "guidance",
    "push": "push",
    "diversity": "diversity",
    "contrast": "contrast",
    "saturation": "saturation",
    "judged": "votes",
    "rejects": "rejected",
}
MEANING = "push is relative to the pull towards the prompt, the other measures to the base"
CURVES = {"loss": "loss", "gradient_norm": "gradient norm", "learning_rate": "learning rate"}


def show_curves(version: Version) -> None:
    """Loss, gradient norm and learning rate by step."""
    if not version.curve:
        st.html(data_line("no curves were recorded: nothing was trained"))
        return
    st.html(data_line(f"{len(version.curve):,} steps in {version.train_seconds:.0f} s"))
    for key, title in CURVES.items():
        points = [{"step": p["step"], "value": p[key], "on": "training"} for p in version.curve if key in p]
        if key == "loss":
            points += [
                {"step": p["step"], "value": p["held_out"], "on": "held out"} for p in version.curve if "held_out" in p
            ]
        if points:
            st.altair_chart(_line(points, title), width="stretch")


def show_strengths(version: Version) -> None:
    """What the version draws at several strengths, where that was measured."""
    swept: list[dict[str, float]] = version.strength_curve or []
    if not swept:
        st.html(data_line(f"no other strength was measured; it draws at {version.strength:g}"))
        return
    drawn = f"it draws at {version.strength:g}, the strongest that every guard allows"
    st.html(data_line(drawn, MEANING) + strengths_html(swept))


def strengths_html(swept: Sequence[Mapping[str, float]]) -> Markup:
    """One row a strength: what was measured there, and whether the guards allow it."""
    measures = {name: title for name, title in MEASURES.items() if any(name in point for point in swept)}
    return render("dashboard/html/strengths.html", measures=measures, swept=swept)


def show_history(days: Sequence[Day], grown: Sequence[Growth], events: Sequence[AliasEvent]) -> None:
    """The rate by version and day with the promotions marked; beside it votes a day and the growth of the rejects."""
    if not days:
        st.html(data_line("the charts begin with the first vote"))
        return
    left, right = st.columns([3, 2])
    with left:
        st.altair_chart(_rates(days, events), width="stretch")
    with right:
        rows = [{"day": str(g.day), "votes": g.votes, "rejects": g.rejects_so_far} for g in grown]
        st.altair_chart(_bars(rows, "votes", "votes a day on sampled pictures", SOFT), width="stretch")
        st.altair_chart(_bars(rows, "rejects", "reject votes on sampled pictures in total", NO), width="stretch")


def _rates(days: Sequence[Day], events: Sequence[AliasEvent]) -> Any:
    import altair as alt

    rows = [
        {
            "day": str(d.day),
            "version": f"v{d.version}",
            "rate": d.rate,
            "low": d.interval.low,
            "high": d.interval.high,
            "votes": d.rejects + d.keeps,
        }
        for d in days
    ]
    names = [f"v{n}" for n in sorted({d.version for d in days})]
    colour = alt.Color(
        "version:N",
        title=None,
        scale=alt.Scale(domain=names, range=[COLOURS[i % len(COLOURS)] for i in range(len(names))]),
        legend=alt.Legend(orient="top", symbolOpacity=1),
    )
    x = alt.X("day:T", title=None, axis=alt.Axis(grid=False, format="%d %b"))
    tooltip = ["version:N", "day:T", alt.Tooltip("rate:Q", format=".0%"), "votes:Q"]
    rate = alt.Y("rate:Q", title="thumbs down, votes of the day", axis=alt.Axis(format="%"))
    drawn = alt.Chart(alt.Data(values=rows))
    marks = [
        {"day": str(e.created_at.date()), "what": f"v{e.to_version} {e.action.value.replace('_', ' ')}"}
        for e in events
        if e.action in (Action.promote, Action.roll_back)
    ]
    rules = (
        alt.Chart(alt.Data(values=marks)).mark_rule(strokeDash=[3, 3], color=SOFT).encode(x="day:T", tooltip=["what:N"])
    )
    return (
        rules
        + drawn.mark_rule(strokeWidth=5, opacity=0.25).encode(
            x=x, y=alt.Y("low:Q", title=""), y2="high:Q", color=colour
        )
        + drawn.mark_line(point=alt.OverlayMarkDef(size=55), strokeWidth=2).encode(
            x=x, y=rate, color=colour, tooltip=tooltip
        )
    ).properties(height=300)


def _bars(rows: Sequence[dict[str, Any]], field: str, title: str, colour: str) -> Any:
    import altair as alt

    return (
        alt.Chart(alt.Data(values=list(rows)))
        .mark_bar(color=colour, size=18, cornerRadius=2)
        .encode(
            x=alt.X("day:T", title=None, axis=alt.Axis(grid=False, format="%d %b")),
            y=alt.Y(f"{field}:Q", title=None, axis=alt.Axis(tickMinStep=1, tickCount=3)),
            tooltip=["day:T", f"{field}:Q"],
        )
        .properties(height=130, title=alt.Title(title, fontSize=12, fontWeight=500, color=SOFT, anchor="start"))
    )


def _line(points: Sequence[dict[str, Any]], title: str) -> Any:
    import altair as alt  # here, because it takes a second to load

    names = sorted({str(point["on"]) for point in points}, reverse=True)
    return (
        alt.Chart(alt.Data(values=list(points)))
        .mark_line(strokeWidth=2, point=len(points) < 30)
        .encode(
            x=alt.X("step:Q", title="step", axis=alt.Axis(grid=False)),
            y=alt.Y("value:Q", title=title, scale=alt.Scale(zero=False)),
            color=alt.Color(
                "on:N",
                title=None,
                scale=alt.Scale(domain=names, range=[NO, YES][: len(names)]),
                legend=alt.Legend(orient="top") if len(names) > 1 else None,
            ),
            tooltip=["step:Q", "on:N", alt.Tooltip("value:Q", format=".5f")],
        )
        .properties(height=220)
    )
