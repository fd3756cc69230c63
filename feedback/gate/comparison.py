"""Two versions side by side: the evidence of their pairs, the guards, and pairs to look at."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Engine, func
from sqlmodel import Session, col, select

from feedback.gate.evidence import Key, Sides, guardrails, newest_alike, read_sides, weigh
from feedback.gate.gate import Evidence
from feedback.gate.guardrails import Guardrail
from feedback.pool.verdicts import Outcome
from feedback.succession import alias_target, compared, replaced_by
from store.engine import reading
from store.tables import Action, AliasEvent, AliasName, EvaluationSet, ImageMeasure, Prompt, RaterEvent, Vote

SHOWN = 3
DECIDED = (Action.refuse, Action.no_difference, Action.roll_back)


class ShownPair(NamedTuple):
    """A pair to look at: the pictures (SHA-256) of the newer and the older version."""

    prompt: str
    seed: int
    new: str
    old: str


class Decided(NamedTuple):
    """What was decided about the newer version, when, and why."""

    action: Action
    at: datetime
    reason: str


@dataclass(frozen=True)
class Comparison:
    """The version `new` beside `old`. `better` and `worse` are a few pairs of each kind, of different prompts first.

    `is_live`: `new` is the champion. `is_old_live`: `old` is. `is_challenge`: so it is, and `new` the challenger.
    `is_rated`: raters are shown the pairs of these two.
    """

    new: int
    old: int
    evidence: Evidence
    guards: tuple[Guardrail, ...] = ()
    better: tuple[ShownPair, ...] = ()
    worse: tuple[ShownPair, ...] = ()
    is_live: bool = False
    is_old_live: bool = False
    is_challenge: bool = False
    is_rated: bool = True
    decided: Decided | None = None

    @property
    def broken(self) -> list[Guardrail]:
        return [guard for guard in self.guards if guard.is_broken]


class Stamp(NamedTuple):
    """Changes whenever a comparison may have changed: the newest of everything that a comparison counts."""

    vote: int
    event: int
    measured: int
    pairs: int
    decision: int


def read_stamp(engine: Engine) -> Stamp:
    """Cheap; a page that draws itself again asks for it before it compares again."""
    with reading(engine) as session:
        counted = (Vote.id, AliasEvent.id, ImageMeasure.image_id, EvaluationSet.id, RaterEvent.id)
        return Stamp(*(session.exec(select(func.max(column))).one() or 0 for column in counted))


def current_pairs(engine: Engine) -> list[tuple[int, int]]:
    """Whom the cards are about, newer and older: who challenges or challenged last, then the champion.

    The champion stands beside the version that it replaced; without one there is nothing to compare it with.
    """
    with reading(engine) as session:
        live = alias_target(session, AliasName.champion)
        if live is None:
            return []
        running, before = compared(session), replaced_by(session, live)
        challenger = running.new if running and not running.is_live else _decided_last(session, live)
    found = [(challenger, live), (live, before)]
    return [(new, old) for new, old in found if new is not None and old is not None]


def compare_versions(engine: Engine, new: int, old: int) -> Comparison:
    """Everything that a card says of two versions."""
    with reading(engine) as session:
        sides = read_sides(session, {new, old})
        keys = pairs_that_differ(sides, new, old)
        better, worse = (_shown(session, sides, (new, old), found) for found in keys)
        live, running = alias_target(session, AliasName.champion), compared(session)
        is_rated = running is not None and running[:2] == (new, old)
        is_challenge = running is not None and not running.is_live and is_rated
        decided = None if is_challenge else _decision(session, new)
    return Comparison(
        new,
        old,
        weigh(sides, new, old),
        tuple(guardrails(engine, new, old)),
        better,
        worse,
        is_live=new == live,
        is_old_live=old == live,
        is_challenge=is_challenge,
        is_rated=is_rated,
        decided=decided,
    )


def pairs_that_differ(sides: Sides, new: int, old: int) -> tuple[list[Key], list[Key]]:
    """The pairs that got better, and those that got worse, in the order in which they were drawn."""
    found: dict[Outcome, list[Key]] = {Outcome.keep: [], Outcome.reject: []}
    for key, pictures in sides.pictures[new].items():
        pair = newest_alike(pictures, sides.pictures[old].get(key, []))
        if pair and {pair[0].outcome, pair[1].outcome} == {Outcome.keep, Outcome.reject}:
            found[pair[0].outcome].append(key)
    return found[Outcome.keep], found[Outcome.reject]


def _shown(session: Session, sides: Sides, versions: tuple[int, int], keys: Sequence[Key]) -> tuple[ShownPair, ...]:
    chosen = [*_first_of_each_prompt(keys), *keys]
    pairs = list(dict.fromkeys(chosen))[:SHOWN]
    texts = {prompt: session.get_one(Prompt, prompt).text for prompt, _ in pairs}
    found = []
    for prompt, seed in pairs:
        pair = newest_alike(*(sides.pictures[version][prompt, seed] for version in versions))
        assert pair is not None
        found.append(ShownPair(texts[prompt], seed, pair[0].sha256, pair[1].sha256))
    return tuple(found)


def _first_of_each_prompt(keys: Iterable[Key]) -> list[Key]:
    first: dict[int, Key] = {}
    for key in keys:
        first.setdefault(key[0], key)
    return list(first.values())


def _decided_last(session: Session, live: int) -> int | None:
    """The version that was set aside or rolled back last, if the champion has been the same since."""
    last = select(AliasEvent).where(col(AliasEvent.action).in_([*DECIDED, Action.promote, Action.withdraw]))
    event = session.exec(last.order_by(col(AliasEvent.id).desc()).limit(1)).first()
    if event is None or event.action not in DECIDED or event.from_version == live:
        return None
    return event.from_version


def _decision(session: Session, number: int) -> Decided | None:
    """What was decided last about a version."""
    about = select(AliasEvent).where(
        ((col(AliasEvent.to_version) == number) & (col(AliasEvent.action) == Action.promote))
        | ((col(AliasEvent.from_version) == number) & col(AliasEvent.action).in_([*DECIDED, Action.withdraw]))
    )
    event = session.exec(about.order_by(col(AliasEvent.id).desc()).limit(1)).first()
    return None if event is None else Decided(event.action, event.created_at, event.reason)
