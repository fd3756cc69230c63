"""A version's check in words and as a chart: how well it tells rejected pictures from kept ones."""

from typing import Any

import streamlit as st

from feedback.check.calibration import Reliability
from feedback.check.telling import Auc
from feedback.check.version_check import VersionCheck
from store.phrases import plural
from store.tables import Version
from ui.dashboard.charts import draw, ink
from ui.web.phrases import percent
from ui.web.pieces import data_line, verdict

EXPLAINED = "a picture scores high when it looks like the rejects, or does not show what its prompt asks for"


def show_check(version: Version) -> None:
    """One sentence, the chart of its chances, or why it is off."""
    check = VersionCheck.of(version)
    if check is None:
        st.html(data_line("this version has no check"))
        return
    st.html(verdict(check_verdict(version.number, check)) + data_line(*check_lines(check)))
    if check.is_on and check.reliability:
        draw(_reliability(check.reliability))


def check_verdict(number: int, check: VersionCheck) -> str:
    """What a check means for its version, in one sentence."""
    if check.off or check.auc is None:
        return f"v{number} cannot judge pictures; {check.off or 'how well it does is not known'}."
    return (
        f"Shown a rejected and a kept picture, v{number} tells which is which in {percent(check.auc.value)} of cases; "
        "guessing would in 50 %."
    )


def check_lines(check: VersionCheck) -> list[str]:
    """What that rests on, a sentence each."""
    lines = [EXPLAINED]
    if check.auc:
        lines.append(telling("a rejected and a kept picture", check.auc))
    if check.auc_within:
        lines.append(telling("a rejected and a kept picture of one prompt", check.auc_within))
    if check.is_on and check.reliability:
        lines.append(
            f"the chances that it gives differ from the raters’ votes by {percent(check.reliability.error)} on "
            f"average; with so few votes, luck would give {percent(check.reliability.error_by_luck)}"
        )
    return lines


def telling(pair: str, auc: Auc) -> str:
    """An AUC in people's words."""
    return (
        f"of {pair} it scores the rejected one higher in {percent(auc.value)} of cases (95 % interval "
        f"{percent(auc.low)} to {percent(auc.high)}, from {plural(auc.n, 'judged picture')} that trained no part of it)"
    )


def _reliability(found: Reliability) -> Any:
    import altair as alt

    rows = [{"chance": one.chance, "rejected": one.rejected, "n": one.n} for one in found.bins]
    share = alt.Axis(format="%", grid=False)
    whole = alt.Scale(domain=[0, 1])
    right = alt.Chart(alt.Data(values=[{"chance": 0, "rejected": 0}, {"chance": 1, "rejected": 1}]))
    found_so = alt.Chart(alt.Data(values=rows))
    x = alt.X("chance:Q", title="chance of a reject, as the check says", axis=share, scale=whole)
    y = alt.Y("rejected:Q", title="rejected by raters", axis=share, scale=whole)
    tooltip = [alt.Tooltip("chance:Q", format=".0%"), alt.Tooltip("rejected:Q", format=".0%"), "n:Q"]
    return (
        right.mark_line(strokeDash=[3, 3], color=ink().text, strokeWidth=1).encode(x=x, y=y)
        + found_so.mark_line(color=ink().first, strokeWidth=2).encode(x=x, y=y)
        + found_so.mark_point(color=ink().first, filled=True).encode(
            x=x, y=y, size=alt.Size("n:Q", legend=None), tooltip=tooltip
        )
    ).properties(height=280, width="container")
