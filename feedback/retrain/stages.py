"""The stages of a retrain, and how long the rest of one takes.

Each stage has an amount of work, in steps or pictures. What a stage under way takes is measured. What those to come
take is known from the last retrain that made a version, scaled by the work and by how much faster or slower this
retrain has been so far; where there was none, from a stage of this retrain that does the same.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import groupby
from typing import NamedTuple

from feedback.workers import span

SURE_SHARE, SURE_S = 0.05, 3.0
"""So much of a stage must be done before its own pace counts."""
AT_LEAST_S = 1.0
"""Shorter stages say nothing about the speed of the machine."""

WAIT, LOAD, ENCODE, DRAW, FIT, SCORE = "wait", "load", "encode", "draw", "fit", "score"
"""Kinds of work: stages of one kind take as long for as much of it."""


class Phase(StrEnum):
    """What people are told of a retrain; a phase is one stage or several."""

    turn = "turn"
    load = "load"
    encoding = "encoding"
    halves = "halves"
    fit = "fit"
    strengths = "strengths"
    check = "check"
    publish = "publish"


PHASES = {
    Phase.turn: "Wait for the device",
    Phase.load: "Load the model",
    Phase.encoding: "Encode what is new",
    Phase.halves: "Fit both halves, for the check",
    Phase.fit: "Fit the whole pool",
    Phase.strengths: "Try strengths",
    Phase.check: "Set the check",
    Phase.publish: "Publish",
}


@dataclass(frozen=True)
class Stage:
    """A part of a retrain: `done` of its `work` in `seconds`. Stages of one `kind` take as long for as much work.

    `note` says more of what goes on.
    """

    name: str
    phase: Phase
    kind: str
    work: float
    done: float = 0.0
    seconds: float = 0.0
    is_over: bool = False
    note: str = ""

    @property
    def words(self) -> str:
        """What goes on.

        >>> Stage("waiting for the device", Phase.turn, WAIT, 0, note="a worker has it").words
        'waiting for the device: a worker has it'
        """
        return f"{self.name}: {self.note}" if self.note else self.name

    def ended(self) -> "Stage":
        """The stage, over. It may have needed less than all its work; one that told of none has done it all."""
        return replace(self, done=self.done or self.work, is_over=True)


class Left(NamedTuple):
    """How many seconds the rest takes, as far as is known, and the phases of which it is not."""

    seconds: float
    unknown: tuple[Phase, ...] = ()

    @property
    def says_nothing(self) -> bool:
        """Whether nothing is known, or not even the fits, which take longest."""
        return not self.seconds or bool({Phase.halves, Phase.fit} & set(self.unknown))


class PhaseSeen(NamedTuple):
    """A phase as people see it: its seconds so far, the share that is done, and what it will take, if that is known."""

    phase: Phase
    title: str
    seconds: float
    share: float
    expected_s: float | None
    is_over: bool


def left(stages: Sequence[Stage], last: Sequence[Stage]) -> Left:
    """What the stages that are not over still take; `last` are those of the last retrain that made a version.

    >>> done = Stage("fitting half 1 of 2", Phase.halves, "fit", 100, 100, 50.0, is_over=True)
    >>> left([done, Stage("fitting", Phase.fit, "fit", 200)], [])
    Left(seconds=100.0, unknown=())
    """
    seconds, unknown = 0.0, []
    for stage in stages:
        if stage.is_over:
            continue
        pace = pace_of(stage, stages, last)
        if pace is None:
            unknown.append(stage.phase)
        else:
            seconds += pace * max(0.0, stage.work - stage.done)
    return Left(seconds, tuple(dict.fromkeys(unknown)))


def share_done(stages: Sequence[Stage], last: Sequence[Stage]) -> float:
    """The share of the whole retrain that is done, 0 to 1; 1 only when every stage is over.

    By time, and by the number of stages as long as the time is not known.
    """
    over = sum(stage.is_over for stage in stages)
    if not stages or over == len(stages):
        return float(bool(stages))
    so_far, rest = sum(stage.seconds for stage in stages), left(stages, last)
    if rest.unknown or not so_far:
        return over / len(stages)
    return min(0.99, so_far / (so_far + rest.seconds))


def pace_of(stage: Stage, stages: Sequence[Stage], last: Sequence[Stage]) -> float | None:
    """Seconds for a unit of the stage's work; None while nobody can know."""
    if not stage.work:
        return 0.0
    if stage.seconds >= SURE_S and stage.done >= SURE_SHARE * stage.work:
        return stage.seconds / stage.done
    known = {one.name: one for one in last if one.is_over and one.work}
    if before := known.get(stage.name):
        return before.seconds / before.work * _slower(stages, known)
    alike = [one for one in stages if one.kind == stage.kind and one.is_over and one.done]
    work = sum(one.done for one in alike)
    return sum(one.seconds for one in alike) / work if work else None


def _slower(stages: Iterable[Stage], known: dict[str, Stage]) -> float:
    """How many times as long this retrain has taken for what the last one did as well."""
    both = [(one, known[one.name]) for one in stages if one.is_over and one.work and one.name in known]
    both = [(now, before) for now, before in both if min(now.seconds, before.seconds) >= AT_LEAST_S]
    expected = sum(before.seconds * now.work / before.work for now, before in both)
    return sum(now.seconds for now, _ in both) / expected if expected else 1.0


def phases_of(stages: Sequence[Stage], last: Sequence[Stage] = ()) -> list[PhaseSeen]:
    """The phases in the order in which they come."""
    found = []
    for phase, group in groupby(stages, key=lambda stage: stage.phase):
        mine = list(group)
        seconds = sum(stage.seconds for stage in mine)
        rest = [(pace_of(one, stages, last), one) for one in mine if not one.is_over]
        expected = None
        if all(pace is not None for pace, _ in rest):
            expected = seconds + sum((pace or 0.0) * max(0.0, one.work - one.done) for pace, one in rest)
        share = seconds / expected if expected else 1 - len(rest) / len(mine)
        found.append(PhaseSeen(phase, PHASES[phase], seconds, min(share, 1.0), expected, not rest))
    return found


def seconds_words(stages: Sequence[Stage]) -> list[str]:
    """How long each phase took.

    >>> seconds_words([Stage("a", Phase.load, LOAD, 1, 1, 12.4, True), Stage("b", Phase.fit, FIT, 9, 9, 150.0, True)])
    ['load the model 12 s', 'fit the whole pool 2 min']
    """
    return [f"{phase.title[0].lower()}{phase.title[1:]} {span(phase.seconds)}" for phase in phases_of(stages)]


def minutes(seconds: float) -> str:
    """About how long something takes, as people say it.

    >>> minutes(8), minutes(70), minutes(400), minutes(7000)
    ('a few seconds', 'about a minute', 'about 7 minutes', 'about 1 h 56 min')
    """
    if seconds < 20:
        return "a few seconds"
    if seconds < 90:
        return "about a minute"
    if seconds < 5400:
        return f"about {seconds / 60:.0f} minutes"
    return f"about {seconds // 3600:.0f} h {seconds % 3600 // 60:.0f} min"


def left_words(rest: Left) -> str:
    """How long a retrain still takes.

    >>> left_words(Left(400)), left_words(Left(400, (Phase.strengths,)))
    ('about 7 minutes left', 'at least 7 minutes left; some phases have not been timed yet')
    >>> left_words(Left(400, (Phase.fit,)))
    'how long it takes is not known yet'
    """
    if not rest.unknown:
        return f"{minutes(rest.seconds)} left"
    if rest.says_nothing:
        return "how long it takes is not known yet"
    return f"at least {minutes(rest.seconds).removeprefix('about ')} left; some phases have not been timed yet"
