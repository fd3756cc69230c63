"""The evidence for and against a version: judged pairs, measured pictures, files; and one run of the gate."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import NamedTuple, Protocol, TypeVar

from sqlalchemy import Engine, func
from sqlalchemy import select as rows_of
from sqlmodel import Session, col, select

from feedback.gate.gate import Decision, Evidence, Step, decide, decide_after
from feedback.gate.guardrails import Guardrail, Measures, compare
from feedback.pool.verdicts import Outcome, outcome_of_counts
from feedback.sample.conditions import Conditions, is_alike, load_conditions
from feedback.sample.evaluation import active_pairs
from feedback.succession import PLAIN, alias_target, promoted_at_once
from feedback.versions import conclude, undo_promotion
from store.engine import reading, writing
from store.files import sha256_of_file
from store.layout import Layout
from store.tables import (
    Action,
    AliasName,
    CurrentVote,
    Image,
    ImageMeasure,
    ImageTally,
    Origin,
    Prompt,
    Verdict,
    Version,
)

LORA_FILES = (("pytorch_lora_weights.safetensors", "sha256"), ("naysayer_kohya.safetensors", "kohya_sha256"))
ACTIONS = {Step.promote: Action.promote, Step.refuse: Action.refuse, Step.no_difference: Action.no_difference}

Key = tuple[int, int]


class HasConditions(Protocol):
    """What was drawn under conditions that are known, or known to be unknown."""

    @property
    def conditions(self) -> Conditions: ...


Drawn = TypeVar("Drawn", bound=HasConditions)


class Side(NamedTuple):
    """One evaluation picture: its verdict, whether somebody skipped it, and how it was drawn."""

    sha256: str
    outcome: Outcome
    is_skipped: bool
    conditions: Conditions


class Sides(NamedTuple):
    """The evaluation pictures of some versions, by version and by prompt and seed, and how many pairs the set has.

    A version may have drawn a pair several times; the newest comes last.
    """

    pictures: dict[int, dict[Key, list[Side]]]
    pairs: int


def read_sides(session: Session, versions: Iterable[int]) -> Sides:
    """The pictures of the set in use."""
    pairs = {(pair.prompt_id, pair.seed) for pair in active_pairs(session)}
    pictures: dict[int, dict[Key, list[Side]]] = {number: defaultdict(list) for number in versions}
    skipped = (
        select(func.count())
        .where(CurrentVote.image_id == Image.id, CurrentVote.verdict == Verdict.skip)
        .scalar_subquery()
    )
    shown = (Image.version, Image.prompt_id, Image.seed, Image.sha256, ImageTally.rejects, ImageTally.keeps)
    rows = session.execute(
        rows_of(*(col(column) for column in (*shown, Image.conditions_id)), skipped)
        .join(ImageTally, col(ImageTally.image_id) == Image.id, isouter=True)
        .where(col(Image.version).in_(list(pictures)), col(Image.origin) == Origin.evaluation)
        .order_by(col(Image.id))
    )
    known = load_conditions(session)
    for version, prompt_id, seed, sha256, rejects, keeps, under, skips in rows:
        if (prompt_id, seed) in pairs:
            side = Side(sha256, outcome_of_counts(rejects or 0, keeps or 0), skips > 0, known[under])
            pictures[version][prompt_id, seed].append(side)
    return Sides(pictures, len(pairs))


def weigh(found: Sides, challenger: int, champion: int) -> Evidence:
    """The pairs of two versions, counted; only pictures drawn alike are a pair."""
    new, old = found.pictures[challenger], found.pictures[champion]
    counts = {"mended": 0, "spoilt": 0, "alike": 0, "closed": 0, "unlike": 0, "both_rejected": 0}
    for key in new.keys() & old.keys():
        pair = newest_alike(new[key], old[key])
        if pair is None:
            counts["unlike"] += 1
            continue
        a, b = pair
        decided = {Outcome.reject, Outcome.keep}
        if a.outcome in decided and b.outcome in decided:
            counts["alike" if a.outcome is b.outcome else "mended" if a.outcome is Outcome.keep else "spoilt"] += 1
            counts["both_rejected"] += a.outcome is b.outcome is Outcome.reject
        elif any(s.outcome is Outcome.disputed or (s.is_skipped and s.outcome not in decided) for s in (a, b)):
            counts["closed"] += 1
    return Evidence(**counts, pairs=found.pairs)


def newest_alike(new: Sequence[Drawn], old: Sequence[Drawn]) -> tuple[Drawn, Drawn] | None:
    """The newest two that were drawn alike; None when no two were."""
    found = ((a, b) for a in reversed(new) for b in reversed(old) if is_alike(a.conditions, b.conditions))
    return next(found, None)


def evidence_of(engine: Engine, number: int) -> Evidence | None:
    """A version's pairs against the champion; None for the champion itself."""
    return evidence_rows(engine, [number]).get(number)


def evidence_rows(engine: Engine, numbers: Sequence[int]) -> dict[int, Evidence]:
    """The pairs of each version against the champion."""
    with reading(engine) as session:
        live = alias_target(session, AliasName.champion)
        if live is None:
            return {}
        found = read_sides(session, {*numbers, live})
    return {number: weigh(found, number, live) for number in numbers if number != live}


def guardrails(engine: Engine, number: int, against: int) -> list[Guardrail]:
    """Every guardrail of a version beside another, on the pairs that both have drawn alike."""
    with reading(engine) as session:
        new, old = _measures(session, number), _measures(session, against)
    pairs = {key: pair for key in new.keys() & old.keys() if (pair := newest_alike(new[key], old[key]))}
    return compare(
        {key: a.measures for key, (a, _) in pairs.items()}, {key: b.measures for key, (_, b) in pairs.items()}
    )


def failed_checks(layout: Layout, version: Version) -> list[str]:
    """What is wrong with a version's files, in sentences; they were loaded and compared when it was published."""
    if version.number == PLAIN or version.sha256 is None:
        return []
    folder, wrong = layout.fetch_version(version.sha256), []
    for name, column in LORA_FILES:
        path, wanted = folder / name, getattr(version, column)
        if not path.is_file():
            wrong.append(f"{name} is missing")
        elif sha256_of_file(path) != wanted:
            wrong.append(f"{name} is not the file that was published")
    return wrong


def run_gate(engine: Engine, layout: Layout) -> Decision | None:
    """Runs the gate once: it promotes, refuses, finds no difference, or waits. None: there is no challenger."""
    with reading(engine) as session:
        live, challenger = (alias_target(session, name) for name in (AliasName.champion, AliasName.challenger))
        if live is None or challenger is None or live == challenger:
            return None
        evidence = weigh(read_sides(session, {live, challenger}), challenger, live)
        version = session.get_one(Version, challenger)
    guards = guardrails(engine, challenger, live)
    decision = decide(evidence, guards)
    if decision.step is Step.promote:  # the files are read only when it matters
        decision = decide(evidence, guards, failed_checks(layout, version))
    if decision.step is not Step.wait and not conclude(
        engine, ACTIONS[decision.step], challenger, live, decision.sentence
    ):
        return None
    return decision


def look_after_promotion(engine: Engine) -> Decision | None:
    """Compares a champion that its retrain promoted with the one it replaced, and goes back when it is worse.

    None: a person decided last, or nothing was replaced. A version that lost its place so does not get it back by
    itself, because only a new version's own retrain promotes.
    """
    with reading(engine) as session:
        at_once = promoted_at_once(session)
        if at_once is None:
            return None
        live, before = at_once
        evidence = weigh(read_sides(session, {live, before}), live, before)
    decision = decide_after(evidence)
    if decision.step is Step.roll_back and not undo_promotion(engine, live, before, decision.sentence):
        return None
    return decision


def list_unmeasured(engine: Engine, limit: int) -> list[tuple[int, str, str]]:
    """Evaluation pictures without measures: image id, hash, prompt."""
    missing = ~select(ImageMeasure.image_id).where(ImageMeasure.image_id == Image.id).exists()
    with reading(engine) as session:
        versions = list(session.exec(select(Version.number)))
        rows = session.exec(
            select(Image.id, Image.sha256, Prompt.text)
            .join(Prompt, col(Prompt.id) == Image.prompt_id)
            .where(col(Image.version).in_(versions), Image.origin == Origin.evaluation, missing)
            .limit(limit)
        )
        return [(image_id or 0, sha256, text) for image_id, sha256, text in rows]


def record_measures(engine: Engine, measured: Sequence[tuple[int, Measures]]) -> None:
    """Stores the measures of pictures; those measured before keep theirs."""
    with writing(engine) as session:
        for image_id, one in measured:
            if session.get(ImageMeasure, image_id) is None:
                session.add(ImageMeasure(image_id=image_id, **asdict(one)))


class _Measured(NamedTuple):
    measures: Measures
    conditions: Conditions


def _measures(session: Session, number: int) -> dict[Key, list[_Measured]]:
    rows = session.exec(
        select(Image.prompt_id, Image.seed, Image.conditions_id, ImageMeasure)
        .join(ImageMeasure, col(ImageMeasure.image_id) == Image.id)
        .where(Image.version == number, Image.origin == Origin.evaluation)
        .order_by(col(Image.id))
    )
    known, found = load_conditions(session), defaultdict(list)
    for prompt_id, seed, under, m in rows:
        measures = Measures(m.brightness, m.saturation, m.contrast, m.thumbnail, m.prompt_score)
        found[prompt_id, seed].append(_Measured(measures, known[under]))
    return found
