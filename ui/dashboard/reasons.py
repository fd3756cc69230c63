"""What is most often wrong with the pictures, and what changed: in words, with intervals."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

import streamlit as st
from markupsafe import Markup
from sqlalchemy import Engine

from feedback.figures.reasons import Change, Likely, Named, changes, count_reasons, is_named_alike
from feedback.figures.summary import version_rows
from feedback.figures.trend import windows
from feedback.statistics import Fraction, Interval
from feedback.succession import PLAIN
from feedback.versions import champion
from store.phrases import plural
from store.tables import Origin, Reason
from ui.dashboard.trend import trend_html
from ui.web.phrases import percent
from ui.web.pieces import axis_end, data_line
from ui.web.templates import render

MOST = 5
"""Reasons that Overview shows."""
TINY = 0.02
"""A reason that was never named for as large a share of the pictures is left out there."""
TONES = {Likely.fewer: "fewer", Likely.more: "more"}
VERSIONS = 8
"""So many of the newest versions have a column each."""


class Row(NamedTuple):
    """A reason: its share now, and what changed since each earlier version; None where neither has it."""

    reason: Reason
    now: Fraction
    since: list[Change | None]

    @property
    def is_tiny(self) -> bool:
        """Whether no version has it often enough to matter."""
        return max([self.now.value or 0.0, *(one.old.value or 0.0 for one in self.since if one)]) < TINY

    @property
    def largest_change(self) -> float:
        return max((abs((one.new.value or 0.0) - (one.old.value or 0.0)) for one in self.since if one), default=0.0)


def show_reasons(engine: Engine, number: int, beside: int | None) -> None:
    """What is wrong with a version's pictures, beside another's, in every version, and over the votes."""
    numbers, live = [row.number for row in version_rows(engine)], champion(engine).number
    columns = sorted({PLAIN, number, live, *numbers[:VERSIONS]})
    counts = count_reasons(engine, [*columns, *([] if beside is None else [beside])])
    if beside is not None:
        st.html(beside_html(engine, counts[number], counts[beside]))
    st.html(by_version_html([counts[one] for one in columns], live))
    if named := named_in(counts.values()):
        reason = st.selectbox("Reason", named, format_func=lambda one: one.value, key="reason", width=240) or named[0]
        st.html(trend_html(windows(engine, reason), live, f"rejects for {reason.value}"))


def beside_html(engine: Engine, new: Named, old: Named) -> Markup:
    """Every reason of two versions; while a sampled picture of one is not judged, those of their compared pictures."""
    if new.judged and old.judged:
        return pair_html(new, old)
    missing = data_line(*(f"v{one.version} has no judged sampled pictures yet" for one in (new, old) if not one.judged))
    pairs = count_reasons(engine, (new.version, old.version), Origin.evaluation)
    new, old = pairs[new.version], pairs[old.version]
    return missing + pair_html(new, old, "compared") if new.judged and old.judged and new.explained else missing


def brief_html(counts: Mapping[int, Named], live: int, earlier: Sequence[int]) -> Markup:
    """The champion's most frequent reasons, with what changed since the version before it and since the base.

    As long as none of its pictures is judged, those of the version before it.
    """
    order = [live, *earlier]
    at = next((place for place, number in enumerate(order) if counts[number].judged), 0)
    new, older = counts[order[at]], [counts[number] for number in order[at + 1 :]]
    rows = [row for row in _rows(new, older) if not row.is_tiny][:MOST]
    found = {name_of(old.version): changes(new, old) for old in older}
    unjudged = [finding(counts[number]) for number in order[:at]]
    return render(
        "dashboard/html/reasons.html",
        finding=finding(new),
        known=unjudged + (known_words(found) if rows else []),
        rows=rows,
        new=new,
        older=[name_of(old.version) for old in older],
        end=axis_end(row.now.interval for row in rows),
        arrow=arrow_words,
        tones=TONES,
        notes=[
            likely_words(change for row in rows for change in row.since if change),
            explained_words(new),
            unlike_words(new, older),
        ],
    )


def pair_html(new: Named, old: Named, kind: str = "sampled") -> Markup:
    """Every reason of two versions, with the interval of its change; `kind` says which of their pictures count."""
    found = changes(new, old)
    return render(
        "dashboard/html/reasons_pair.html",
        new=new,
        old=old,
        found=found,
        kind=kind,
        end=axis_end(side.interval for one in found for side in (one.new, one.old)),
        points=points_words,
        tones=TONES,
        notes=[likely_words(found), explained_words(new), explained_words(old), unlike_words(new, [old])],
    )


def by_version_html(counts: Sequence[Named], champion: int | None) -> Markup:
    """The share of each reason in each version, in the order in which they came."""
    reasons = named_in(counts)
    return render("dashboard/html/reasons_by_version.html", counts=counts, reasons=reasons, champion=champion)


def named_in(counts: Collection[Named]) -> list[Reason]:
    """The reasons that are named for any of these versions, the most frequent first."""
    often = {reason: sum(one.share(reason).part for one in counts) for reason in Reason}
    return sorted((reason for reason in Reason if often[reason]), key=lambda reason: -often[reason])


def finding(new: Named) -> str:
    """What is most often wrong with a version's pictures.

    >>> finding(Named(3, 62, 15, 12, (0, 7, 5, *[0] * 6)))
    'Most often anatomy: 11 % of v3’s pictures, between 6 % and 22 %.'
    """
    name = f"v{new.version}’s"
    if not new.judged:
        return f"None of {name} pictures is judged yet."
    if not new.explained:
        return (
            f"No reason is named for {name} rejects yet." if new.rejected else f"None of {name} pictures is a reject."
        )
    top = max(Reason, key=lambda reason: new.share(reason).part)
    low, high = (percent(end) for end in new.share(top).interval)
    share = percent(new.share(top).part / new.judged)
    return f"Most often {top.value}: {share} of {name} pictures, between {low} and {high}."


def name_of(number: int) -> str:
    """A version as sentences name it."""
    return "the base" if number == PLAIN else f"v{number}"


def known_words(found: Mapping[str, Sequence[Change]]) -> list[str]:
    """What is known to have changed since each older version; those since which nothing is known share a sentence.

    >>> change = Change(Reason.hands, Fraction(7, 100), Fraction(30, 100), Interval(-0.34, -0.13))
    >>> known_words({"v2": [], "the base": [change]})
    ['Since the base likely fewer: hands 30 → 7 %.', 'Since v2 no change is beyond chance yet.']
    """
    said = {older: _likely_since(these) for older, these in found.items()}
    known = [f"Since {older} {words}." for older, words in said.items() if words]
    unknown = [older for older, words in said.items() if not words]
    return [*known, f"Since {' and '.join(unknown)} no change is beyond chance yet."] if unknown else known


def _likely_since(found: Sequence[Change]) -> str:
    by_kind = [(kind, [one for one in found if one.likely is kind]) for kind in (Likely.fewer, Likely.more)]
    return "; ".join(
        f"{kind.value}: {', '.join(f'{one.reason.value} {arrow_words(one)}' for one in these)}"
        for kind, these in by_kind
        if these
    )


def likely_words(found: Iterable[Change]) -> str:
    """What the words beside the changes mean, as far as they occur."""
    kinds = {change.likely for change in found}
    said = ["“Likely”: beyond chance, all reasons taken together."] if kinds - {Likely.unknown} else []
    return " ".join([*said, "A change without a word may be chance."] if Likely.unknown in kinds else said)


def arrow_words(change: Change) -> str:
    """From the older share to the newer.

    >>> arrow_words(Change(Reason.hands, Fraction(7, 100), Fraction(12, 100), Interval(-0.14, 0.03)))
    '12 → 7 %'
    """
    if change.old.value is None or change.new.value is None:
        return "–"
    return f"{100 * change.old.value:.0f} → {percent(change.new.value)}"


def points_words(interval: Interval) -> str:
    """The ends of a change in percentage points.

    >>> points_words(Interval(-0.144, 0.031))
    '−14 to +3'
    """
    return " to ".join(f"{100 * end:+.0f}".replace("-", "−") for end in interval)


def explained_words(one: Named) -> str:
    """For how many rejects a reason is known: the others may have any."""
    if not one.rejected:
        return ""
    return f"A reason is named for {one.explained:,} of v{one.version}’s {plural(one.rejected, 'reject')}."


def unlike_words(new: Named, earlier: Sequence[Named]) -> str:
    """A warning where raters name reasons more often for the rejects of one version; else nothing."""
    unlike = [f"v{old.version}" for old in earlier if not is_named_alike(new, old)]
    if not unlike:
        return ""
    both = f"v{new.version} and {' and '.join(unlike)}"
    return f"Raters did not name reasons equally often for {both}, so compare these shares with care."


def _rows(new: Named, earlier: Sequence[Named]) -> list[Row]:
    since = [{change.reason: change for change in changes(new, old)} for old in earlier]
    rows = [Row(reason, new.share(reason), [found.get(reason) for found in since]) for reason in Reason]
    named = (row for row in rows if row.now.part or any(row.since))
    return sorted(named, key=lambda row: (-row.now.part, -row.largest_change))
