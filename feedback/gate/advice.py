"""What the evidence of two versions amounts to, in words, and what to do: pure functions."""

from enum import StrEnum

from feedback.gate.comparison import Comparison
from feedback.gate.gate import Conclusion, Evidence, pairs_to_go, rule_words, unlike_words
from feedback.gate.guardrails import FEWEST
from feedback.policy import Promotion
from feedback.succession import AT_ONCE
from store.phrases import plural
from store.tables import Action

LOOKED = "each end holds in 19 of 20 cases, however often you look"
RULES: dict[Promotion, str] = {
    "manual": "Promotion is manual: a person promotes a challenger. The votes on pairs are counted, and advise.",
    "auto": (
        "Promotion is automatic: each retrain promotes its version at once. Raters then compare it with the champion "
        "before on a few pairs of pictures. When clearly more of them got worse than better (by chance less than once "
        "in 20 times), the champion before comes back, and the version is not promoted again by itself."
    ),
}


def rule_in_force(mode: Promotion, pairs: int) -> str:
    """Who promotes, and by what, with an evaluation set of so many pairs."""
    return rule_words(pairs) if mode == "gate" else RULES[mode]


class Advice(StrEnum):
    """What to do about a version."""

    promote = "promote"
    rate = "rate"
    roll_back = "roll back"
    set_aside = "set aside"
    nothing = "nothing"


def advise(found: Comparison) -> Advice:
    """The recommended action; nothing where the matter is settled."""
    conclusion = found.evidence.conclusion
    if found.is_live:
        if conclusion is Conclusion.worse:
            return Advice.roll_back
        return Advice.rate if conclusion is Conclusion.not_yet_known and found.is_rated else Advice.nothing
    if found.decided is not None and found.decided.action is Action.withdraw:
        return Advice.nothing
    if found.is_old_live and conclusion is Conclusion.better and not found.broken:
        return Advice.promote
    if not found.is_challenge:
        return Advice.nothing
    return Advice.rate if conclusion is Conclusion.not_yet_known else Advice.set_aside


def headline(found: Comparison) -> str:
    """The difference in one sentence; "so far" while it may be chance.

    >>> headline(Comparison(3, 2, Evidence(mended=12, spoilt=2, alike=32, pairs=200)))
    'v3 gets 22 points fewer rejects than v2'
    """
    difference = found.evidence.difference
    is_promoted = found.is_live and found.decided is not None and found.decided.action is Action.promote
    if difference is None and is_promoted:
        return f"v{found.new} was promoted without a comparison with v{found.old}"
    if difference is None:
        return f"v{found.new} beside v{found.old}: no pair is judged yet"
    size, so_far = round(100 * abs(difference)), ""
    if found.evidence.conclusion is Conclusion.not_yet_known:
        so_far = "So far "
    if size == 0:
        return f"{so_far}v{found.new} gets as many rejects as v{found.old}"
    fewer = "fewer" if difference < 0 else "more"
    return f"{so_far}v{found.new} gets {plural(size, 'point')} {fewer} rejects than v{found.old}"


def counts_words(evidence: Evidence) -> str:
    """On what the difference rests.

    >>> counts_words(Evidence(mended=12, spoilt=2, alike=32, pairs=200, both_rejected=2))
    '9 % instead of 30 % of 46 pairs; 12 better, 2 worse, 32 the same'
    """
    if evidence.rates is None:
        return f"0 of {plural(evidence.pairs, 'pair')} judged on both sides"
    new, old = (f"{100 * rate:.0f} %" for rate in evidence.rates)
    changed = f"{evidence.mended} better, {evidence.spoilt} worse, {evidence.alike} the same"
    return f"{new} instead of {old} of {plural(evidence.judged, 'pair')}; {changed}"


def sureness_words(evidence: Evidence) -> str:
    """Whether the difference is sure, in words."""
    match evidence.conclusion:
        case Conclusion.better:
            return "Sure: it is better. Chance would do that less than once in 20 times."
        case Conclusion.worse:
            return "Sure: it is worse. Chance would do that less than once in 20 times."
        case Conclusion.no_difference:
            return f"No difference found: {plural(evidence.judged, 'pair')} can show only larger ones."
    return "Not sure yet: it may be chance."


def interval_words(evidence: Evidence) -> str:
    """The interval of the difference, for people.

    >>> interval_words(Evidence(mended=12, spoilt=2, alike=32))
    'between 43 points fewer and 1 point fewer (each end holds in 19 of 20 cases, however often you look)'
    """
    low, high = evidence.interval
    return f"between {_points(low)} and {_points(high)} ({LOOKED})"


def _points(change: float) -> str:
    size = round(100 * abs(change))
    return f"{plural(size, 'point')} {'fewer' if change < 0 else 'more'}" if size else "no difference"


def guards_words(found: Comparison) -> str:
    """The guards in one line."""
    if not found.guards:
        return (
            f"Guards: not measured yet, both versions must first draw {FEWEST} pictures from the same prompts and seeds"
        )
    if found.broken:
        return f"Guards: {'; '.join(guard.sentence for guard in found.broken)}"
    return f"Guards: {', '.join(guard.name for guard in found.guards)} are all fine"


def deciding_words(found: Comparison, mode: Promotion) -> str:
    """Who decides under the rule in force, how many more pairs would do, and what holds while nobody does anything."""
    if found.is_challenge:
        who, more = _who_decides(found, mode), more_words(found.evidence)
    elif found.is_live:
        who, more = _who_decides_after(found, mode), more_words(found.evidence) if found.is_rated else ""
    else:
        who, more = "", ""
    return " ".join(filter(None, [who, more, _meanwhile(found, mode)]))


def _who_decides_after(found: Comparison, mode: Promotion) -> str:
    """The same of a champion beside the version that it replaced."""
    if found.evidence.conclusion is not Conclusion.not_yet_known:
        return ""
    if not found.is_rated:
        return "These pairs are not shown to raters while a challenger is compared."
    if mode == "auto" and found.decided is not None and found.decided.reason == AT_ONCE:
        return f"If its pairs say that it is worse, v{found.old} comes back by itself."
    return ""


def _meanwhile(found: Comparison, mode: Promotion) -> str:
    """Who stays champion while nobody does what is recommended; empty where the gate acts by itself."""
    advice, live = advise(found), f"v{found.new if found.is_live else found.old}"
    if advice is Advice.nothing or (advice is Advice.promote and found.is_challenge and mode == "gate"):
        return ""
    return f"{'Until then' if advice is Advice.rate else 'Until somebody decides,'} {live} stays the champion."


def _who_decides(found: Comparison, mode: Promotion) -> str:
    if mode != "gate":
        return "You decide: no version is promoted by votes here." if mode == "manual" else "You decide about this one."
    match found.evidence.conclusion:
        case Conclusion.better:
            refused = "; a broken guard stops it" if found.broken else ""
            return f"The gate decides at its next look{refused}."
        case Conclusion.not_yet_known:
            return "The gate decides as soon as the votes are clear."
    return f"The gate sets v{found.new} aside at its next look."


def more_words(evidence: Evidence) -> str:
    """How many more pairs would decide, as long as that is open.

    >>> more_words(Evidence(mended=6, spoilt=2, alike=20, pairs=200))
    'About 72 more pairs at this rate would decide.'
    """
    if evidence.conclusion is not Conclusion.not_yet_known:
        return ""
    left = max(0, evidence.pairs - evidence.judged - evidence.closed)
    again = f" {unlike_words(evidence.unlike).capitalize()}." if evidence.unlike else ""
    to_rate = f"up to {plural(left, 'pair')} left to rate.{again}"
    if evidence.judged == 0:
        return f"U{to_rate[1:]}"
    more = pairs_to_go(evidence)
    if more is None:
        so_far = (
            "As many got better as worse so far" if evidence.mended == evidence.spoilt else "The difference is small"
        )
        return f"{so_far}; {to_rate}"
    if more > left:
        return f"{plural(more, 'more pair')} at this rate would decide, and {left} are left to rate.{again}"
    return f"About {plural(more, 'more pair')} at this rate would decide.{again}"


def decided_words(found: Comparison) -> str:
    """What was decided about the newer version; empty while nothing was."""
    if found.decided is None:
        return ""
    return {
        Action.promote: f"v{found.new} was promoted",
        Action.refuse: f"v{found.new} was refused",
        Action.no_difference: f"v{found.new} was set aside",
        Action.roll_back: f"v{found.new} was rolled back",
        Action.withdraw: f"v{found.new} was withdrawn",
    }[found.decided.action]
