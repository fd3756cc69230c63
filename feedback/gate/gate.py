"""Is the challenger better than the champion? Pure functions of counts; nothing here reads the store."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import log

from feedback.gate.guardrails import Guardrail
from feedback.statistics import ALPHA, Interval, log_e_value, watched_difference
from store.phrases import plural

ENOUGH = log(1 / ALPHA)
CAP = 1000


class Conclusion(StrEnum):
    """What the blind same-seed votes say about a version beside the champion."""

    better = "better"
    worse = "worse"
    not_yet_known = "not yet known"
    no_difference = "no difference found"


class Step(StrEnum):
    """What the gate does."""

    promote = "promote"
    refuse = "refuse"
    no_difference = "no_difference"
    roll_back = "roll_back"
    wait = "wait"


@dataclass(frozen=True)
class Evidence:
    """Pairs of one prompt and seed, judged blind on both sides.

    `mended`: the champion's picture was rejected and the challenger's kept; `spoilt`: the other way round; `alike`:
    the same verdict, a reject in `both_rejected` of them. `pairs` is how many the evaluation set has; `closed` of them
    have a picture that was skipped or disputed. `unlike` pairs do not count yet: their pictures were drawn under
    different settings.
    """

    mended: int = 0
    spoilt: int = 0
    alike: int = 0
    pairs: int = 0
    closed: int = 0
    unlike: int = 0
    both_rejected: int = 0

    @property
    def judged(self) -> int:
        return self.mended + self.spoilt + self.alike

    @property
    def difference(self) -> float | None:
        """Challenger's rate less the champion's, on these pairs; None before the first."""
        return (self.spoilt - self.mended) / self.judged if self.judged else None

    @property
    def rates(self) -> tuple[float, float] | None:
        """Share of rejects of the challenger and of the champion, on these pairs; None before the first."""
        if not self.judged:
            return None
        return (self.spoilt + self.both_rejected) / self.judged, (self.mended + self.both_rejected) / self.judged

    @property
    def interval(self) -> Interval:
        """Of the difference, paired, by the gate's own test: it may be watched, and leaves out 0 when that decides."""
        return watched_difference(self.mended, self.spoilt, self.alike)

    @property
    def log_e(self) -> float:
        return log_e_value(self.mended, self.spoilt)

    @property
    def log_e_against(self) -> float:
        return log_e_value(self.spoilt, self.mended)

    @property
    def is_used_up(self) -> bool:
        return self.judged >= CAP or 0 < self.pairs <= self.judged + self.closed

    @property
    def conclusion(self) -> Conclusion:
        if self.log_e >= ENOUGH:
            return Conclusion.better
        if self.log_e_against >= ENOUGH:
            return Conclusion.worse
        return Conclusion.no_difference if self.is_used_up else Conclusion.not_yet_known


@dataclass(frozen=True)
class Decision:
    """A step of the gate, with the evidence in words."""

    step: Step
    sentence: str


def rule_words(pairs: int) -> str:
    """The rule of the gate for an evaluation set of so many pairs.

    >>> rule_words(200).split(". ")[1]
    'After all 200 pairs of the evaluation set without that, no difference was found.'
    """
    end = f"all {pairs:,} pairs of the evaluation set" if 0 < pairs <= CAP else f"{CAP:,} pairs"
    return (
        "The gate promotes a challenger when clearly more pairs got better than worse (by chance less than once in 20 "
        f"times), no guard is broken, and its files pass every check. After {end} without that, no difference was "
        "found."
    )


def decide(evidence: Evidence, guardrails: Sequence[Guardrail], failed_checks: Sequence[str] = ()) -> Decision:
    """The promotion rule. A version that fails a guardrail or a check is refused, however good its votes."""
    said, conclusion = evidence_words(evidence), evidence.conclusion
    if conclusion is Conclusion.not_yet_known:
        return Decision(Step.wait, said)
    if conclusion is Conclusion.no_difference:
        return Decision(Step.no_difference, said)
    if conclusion is Conclusion.worse:
        return Decision(Step.refuse, said)
    broken = [guardrail.sentence for guardrail in guardrails if guardrail.is_broken]
    if broken or failed_checks:
        return Decision(Step.refuse, f"{said}; but {'; '.join([*broken, *failed_checks])}")
    return Decision(Step.promote, said)


def decide_after(evidence: Evidence) -> Decision:
    """Whether a version that its retrain promoted stays champion; the evidence is against the one it replaced.

    It goes back only when its pairs are worse, never when they are too few to tell.
    """
    is_worse = evidence.conclusion is Conclusion.worse
    return Decision(Step.roll_back if is_worse else Step.wait, evidence_words(evidence))


def evidence_words(evidence: Evidence) -> str:
    """The evidence in one line.

    >>> evidence_words(Evidence(mended=12, spoilt=3, alike=45, pairs=200))
    'not yet known: of 60 pairs, 12 got better, 3 worse, 45 the same'
    """
    return f"{evidence.conclusion.value}: {_counts_words(evidence)}"


def _counts_words(evidence: Evidence) -> str:
    changed = f"{evidence.mended} got better, {evidence.spoilt} worse, {evidence.alike} the same"
    again = f" ({unlike_words(evidence.unlike)})" if evidence.unlike else ""
    return f"of {plural(evidence.judged, 'pair')}, {changed}{again}"


def unlike_words(unlike: int) -> str:
    """What happens to pairs whose two pictures were drawn under different settings.

    >>> unlike_words(1)
    '1 pair was drawn under different settings, does not count, and is drawn again'
    """
    if unlike == 1:
        return "1 pair was drawn under different settings, does not count, and is drawn again"
    return f"{unlike} pairs were drawn under different settings, do not count, and are drawn again"


def pairs_to_go(evidence: Evidence) -> int | None:
    """How many more pairs would decide if they came as those before; None when no number up to the cap would."""
    if evidence.judged == 0 or evidence.mended == evidence.spoilt:
        return None
    for more in range(0, CAP + 1):
        grown = 1 + more / evidence.judged
        log_e = log_e_value(*sorted((evidence.mended * grown, evidence.spoilt * grown), reverse=True))
        if log_e >= ENOUGH:
            return more
    return None
