"""Which version is the best, as far as the votes tell: the first sentence of Overview."""

from collections.abc import Sequence

from sqlalchemy import Engine

from feedback.figures.summary import VersionRow
from feedback.gate.comparison import current_pairs
from feedback.gate.gate import Conclusion, Evidence
from feedback.succession import PLAIN
from ui.dashboard.versions.card import compared_now
from ui.web.phrases import percent


def challenge_now(engine: Engine) -> tuple[int, Conclusion] | None:
    """The challenger and what its pairs say of it; None without one."""
    for new, old in current_pairs(engine):
        found = compared_now(engine, new, old)
        if found.is_challenge:
            return new, found.evidence.conclusion
    return None


def compared_shares(engine: Engine, rows: Sequence[VersionRow]) -> dict[int, Evidence]:
    """What the pairs beside the champion say of versions of which no sampled picture is judged yet."""
    live = next((row.number for row in rows if "champion" in row.aliases), None)
    unjudged = [row.number for row in rows if row.rate is None and row.number != live]
    found = {} if live is None else {number: compared_now(engine, number, live).evidence for number in unjudged}
    return {number: evidence for number, evidence in found.items() if evidence.judged}


def best_words(rows: Sequence[VersionRow], challenge: tuple[int, Conclusion] | None) -> str:
    """The champion beside the base, the other versions and the challenger; empty before there is a champion."""
    champion = next((row for row in rows if "champion" in row.aliases), None)
    if champion is None:
        return ""
    asked = challenge[0] if challenge else None
    others = [row for row in rows if row.number not in (PLAIN, champion.number, asked) and not row.is_withdrawn]
    base = next((row for row in rows if row.number == PLAIN), None)
    said = [_beside_the_base(champion, base), _beside_others(champion, others)]
    return " ".join(filter(None, [*said, _beside_the_challenger(*challenge) if challenge else ""]))


def _beside_the_base(champion: VersionRow, base: VersionRow | None) -> str:
    name = f"v{champion.number}"
    if champion.number == PLAIN:
        return "The plain base is in use; no version has replaced it."
    if base is None or base.rate is None or champion.rate is None:
        return f"{name} is the champion; whether it beats the base is not known yet."
    rates = f"{percent(champion.rate)} rejects, the base {percent(base.rate)}"
    if champion.interval.high < base.interval.low:
        return f"{name}, the champion, beats the base: {rates}."
    if champion.interval.low > base.interval.high:
        return f"{name} is the champion, but worse than the base: {rates}."
    return f"{name} is the champion; whether it beats the base is not known yet: {rates}."


def _beside_others(champion: VersionRow, others: Sequence[VersionRow]) -> str:
    if champion.rate is None:
        return ""
    judged = [row for row in sorted(others, key=lambda row: row.number) if row.rate is not None]
    fewer = [row for row in judged if row.interval.high < champion.interval.low]
    alike = [row for row in judged if row not in fewer and row.interval.low <= champion.interval.high]
    if fewer:
        return f"{_names(fewer)} {'has' if len(fewer) == 1 else 'have'} fewer rejects than it."
    return f"{_names(alike)} cannot be told apart from it." if alike else ""


def _beside_the_challenger(challenger: int, conclusion: Conclusion) -> str:
    name = f"v{challenger}"
    return {
        Conclusion.better: f"{name}, the challenger, is better.",
        Conclusion.worse: f"{name}, the challenger, is worse.",
        Conclusion.no_difference: f"{name}, the challenger, shows no difference.",
        Conclusion.not_yet_known: f"Whether {name}, the challenger, is better is not known yet.",
    }[conclusion]


def _names(rows: Sequence[VersionRow]) -> str:
    names = [f"v{row.number}" for row in rows]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
