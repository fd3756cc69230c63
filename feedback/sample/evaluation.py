"""Evaluation sets: frozen lists of prompts and seeds that are never trained on. One is in use: the one chosen last."""

import hashlib
from collections.abc import Collection, Sequence
from itertools import count
from typing import NamedTuple

from sqlalchemy import Engine, ScalarSelect, func
from sqlmodel import Session, col, select

from feedback.sample.prompts import clean_prompt, prompts_by_words
from feedback.sample.work import Job
from store.engine import reading, writing
from store.errors import BadRequest
from store.files import sha256_of
from store.tables import EvaluationPair, EvaluationSet, EvaluationUse, Image, ManifestItem, Origin, Prompt
from store.texts import find_control, with_single_spaces

# Seeds of the default set lie from here on, those of sampling below; an imported pair may have any seed.
FIRST_EVALUATION_SEED = 2**31
MAX_PAIRS = 100_000
SEEDS = 2**53  # seeds lie below it: the numbers of a browser are exact so far
DEFAULT = "default"
COMMAND_LINE = "command line"


class SetRow(NamedTuple):
    """One evaluation set, as it is listed."""

    number: int
    name: str
    sha256: str
    pairs: int
    prompts: int
    is_active: bool


def pair_hash(prompt: str, seed: int) -> str:
    """SHA-256 that names a prompt and a seed, whatever drew them."""
    return sha256_of(f"{prompt}\n{seed}".encode())


def active_set(session: Session) -> EvaluationSet | None:
    """The set in use."""
    return session.exec(select(EvaluationSet).where(EvaluationSet.id == _in_use())).first()


def active_pairs(session: Session) -> list[EvaluationPair]:
    """The pairs of the set in use, in its order, without those whose prompt was removed."""
    return list(
        session.exec(
            select(EvaluationPair)
            .join(Prompt, col(Prompt.id) == EvaluationPair.prompt_id)
            .where(EvaluationPair.set_id == _in_use(), ~col(Prompt.is_removed))
            .order_by(col(EvaluationPair.ordinal))
        )
    )


def count_pairs(engine: Engine) -> int:
    """How many pairs the set in use has."""
    with reading(engine) as session:
        return len(active_pairs(session))


def load_held_out_hashes(session: Session) -> set[str]:
    """The hashes of every pair of every set: never to be trained on, never to be sampled."""
    return set(session.exec(select(EvaluationPair.pair_hash)))


def held_out(session: Session, pairs: Collection[tuple[str, int]]) -> set[tuple[str, int]]:
    """Those of the pairs (prompt, seed) that are of any set."""
    hashes = {pair_hash(prompt, seed): (prompt, seed) for prompt, seed in pairs}
    found = session.exec(select(EvaluationPair.pair_hash).where(col(EvaluationPair.pair_hash).in_(list(hashes))))
    return {hashes[one] for one in found}


def ensure_default(engine: Engine, pairs: int) -> None:
    """Makes the default set when there is none, or a longer one that begins with it; imported sets stay as they are.

    Pictures drawn before there were sets give the first pairs, so that the versions stay comparable. Pairs of removed
    prompts are replaced.
    """
    with reading(engine) as session:
        if not _wants_default(session, pairs):
            return
        chosen = _default_pairs(session, pairs)  # not in the writer's turn: a long list takes long
    with writing(engine) as session:
        if _wants_default(session, pairs):
            _save(session, DEFAULT, chosen, by="worker")


def new_set(engine: Engine, name: str, pairs: int, *, by: str = COMMAND_LINE) -> SetRow:
    """Freezes a set of `pairs` fresh pairs, spread over the active prompts; it is in use from now on.

    Raises BadRequest without a prompt.
    """
    with writing(engine) as session:
        if not 0 < pairs <= MAX_PAIRS:
            raise BadRequest(f"a set has 1 to {MAX_PAIRS:,} pairs; {pairs} were asked for")
        chosen = _spread(session, range(pairs), _used_seeds(session))
        if not chosen:
            raise BadRequest("the prompt list is empty; `naysayer prompts import FILE` first")
        _save(session, _clean_name(name), chosen, by=by)
    return list_sets(engine)[0]


def use_set(engine: Engine, number: int, *, by: str = COMMAND_LINE) -> SetRow:
    """Uses an older set again. Raises BadRequest when there is none of that number, or it is in use already."""
    with writing(engine) as session:
        found = session.get(EvaluationSet, number) if 0 < number < 2**31 else None
        if found is None:
            raise BadRequest(f"there is no evaluation set {number} (`naysayer evaluation list`); nothing was changed")
        now = active_set(session)
        if now is not None and now.id == number:
            raise BadRequest(f"evaluation set {number} is in use already; nothing was changed")
        session.add(EvaluationUse(set_id=number, by=by))
    return next(row for row in list_sets(engine) if row.number == number)


def import_set(engine: Engine, name: str, pairs: Sequence[Job], *, by: str = COMMAND_LINE) -> SetRow:
    """Freezes a set of these pairs; it is in use from now on. Prompts that are new are not sampled from.

    Raises BadRequest when a pair has been trained on, is given twice, or the set was imported before.
    """
    if not 0 < len(pairs) <= MAX_PAIRS:
        raise BadRequest(f"a set has 1 to {MAX_PAIRS:,} pairs; {len(pairs)} were given; nothing was imported")
    name = _clean_name(name)
    pairs = [Job(clean_prompt(prompt), seed) for prompt, seed in pairs]
    if len({(with_single_spaces(prompt), seed) for prompt, seed in pairs}) < len(pairs):
        raise BadRequest("a pair of prompt and seed is given twice; nothing was imported")
    if wrong := next((pair for pair in pairs if not 0 <= pair.seed < SEEDS), None):
        raise BadRequest(f"the seed {wrong.seed} is not from 0 to 2^53 - 1; nothing was imported")
    with writing(engine) as session:
        known = prompts_by_words(session)
        for text in dict.fromkeys(pair.prompt for pair in pairs):
            key = with_single_spaces(text)
            if key not in known:
                known[key] = Prompt(text=text, source=f"evaluation set {name}", is_active=False)
                session.add(known[key])
            elif known[key].is_removed:
                raise BadRequest(
                    f"the prompt {text[:60]!r} was removed; take it out, or `naysayer prompts restore` it; "
                    "nothing was imported"
                )
        session.flush()
        prompts = [known[with_single_spaces(pair.prompt)] for pair in pairs]
        chosen = [(row.id or 0, Job(row.text, pair.seed)) for row, pair in zip(prompts, pairs, strict=True)]
        if trained := _trained(session, chosen):
            raise BadRequest(
                f"{len(trained)} of the pairs were trained on before ({trained[0].prompt[:60]!r}, seed "
                f"{trained[0].seed}), so they cannot evaluate; take them out; nothing was imported"
            )
        _save(session, name, chosen, by=by)
    return list_sets(engine)[0]


def list_sets(engine: Engine) -> list[SetRow]:
    """Every set, newest first."""
    with reading(engine) as session:
        rows = session.exec(
            select(EvaluationSet, func.count(), func.count(col(EvaluationPair.prompt_id).distinct()))
            .join(EvaluationPair, col(EvaluationPair.set_id) == EvaluationSet.id)
            .group_by(col(EvaluationSet.id))
            .order_by(col(EvaluationSet.id).desc())
        ).all()
        now = active_set(session)
    return [
        SetRow(row.id or 0, row.name, row.sha256, pairs, prompts, now is not None and row.id == now.id)
        for row, pairs, prompts in rows
    ]


def _in_use() -> ScalarSelect[int]:
    return select(EvaluationUse.set_id).order_by(col(EvaluationUse.id).desc()).limit(1).scalar_subquery()


def _wants_default(session: Session, pairs: int) -> bool:
    now = active_set(session)
    if now is not None and (now.name != DEFAULT or now.id != _newest(session) or len(active_pairs(session)) >= pairs):
        return False  # somebody's own set, an older one that somebody chose, or long enough
    return pairs > 0 and session.exec(select(Prompt.id).where(col(Prompt.is_active)).limit(1)).first() is not None


def _newest(session: Session) -> int | None:
    return session.exec(select(func.max(EvaluationSet.id))).one()


def _default_pairs(session: Session, pairs: int) -> list[tuple[int, Job]]:
    known = [(pair.prompt_id, pair.seed) for pair in active_pairs(session)]
    if not known:
        drawn = select(Image.prompt_id, Image.seed).where(Image.origin == Origin.evaluation).distinct()
        known = sorted(session.exec(drawn), key=lambda pair: pair[1])[:pairs]
    fresh = _spread(session, range(len(known), pairs), {seed for _, seed in known})
    return [(id, Job(session.get_one(Prompt, id).text, seed)) for id, seed in known] + fresh


def _used_seeds(session: Session) -> set[int]:
    """The seeds of every pair of every set, and of every evaluation picture."""
    drawn = select(Image.seed).where(Image.origin == Origin.evaluation).distinct()
    return {*session.exec(select(EvaluationPair.seed).distinct()), *session.exec(drawn)}


def _spread(session: Session, places: range, used: set[int]) -> list[tuple[int, Job]]:
    """For each place the next active prompt in turn, with a seed from FIRST_EVALUATION_SEED on that was not used."""
    prompts = session.exec(select(Prompt.id, Prompt.text).where(col(Prompt.is_active)))
    by_hash = sorted((hashlib.sha256(text.encode()).digest(), id or 0, text) for id, text in prompts)
    if not by_hash:
        return []
    fresh = (seed for seed in count(FIRST_EVALUATION_SEED) if seed not in used)
    turns = (by_hash[place % len(by_hash)] for place in places)
    return [(id, Job(text, next(fresh))) for _, id, text in turns]


def _clean_name(name: str) -> str:
    name = with_single_spaces(name)[:80] or DEFAULT
    if control := find_control(name):
        raise BadRequest(f"the set's name {name!r} holds the control character {control}; nothing was changed")
    return name


def _save(session: Session, name: str, pairs: Sequence[tuple[int, Job]], *, by: str) -> None:
    hashes = [pair_hash(*job) for _, job in pairs]
    row = EvaluationSet(name=name, sha256=sha256_of("\n".join(hashes).encode()))
    if session.exec(select(EvaluationSet).where(EvaluationSet.sha256 == row.sha256)).first() is not None:
        raise BadRequest("a set of the very same pairs exists (`naysayer evaluation list`); nothing was changed")
    session.add(row)
    session.flush()
    assert row.id is not None
    session.add(EvaluationUse(set_id=row.id, by=by))
    session.add_all(
        EvaluationPair(set_id=row.id, pair_hash=name_of, ordinal=place, prompt_id=prompt_id, seed=job.seed)
        for place, (name_of, (prompt_id, job)) in enumerate(zip(hashes, pairs, strict=True))
    )


def _trained(session: Session, pairs: Sequence[tuple[int, Job]]) -> list[Job]:
    """Those of the pairs that any manifest holds."""
    return [
        job
        for prompt_id, job in pairs
        if session.exec(
            select(ManifestItem.image_id)
            .join(Image, col(Image.id) == ManifestItem.image_id)
            .where(Image.prompt_id == prompt_id, Image.seed == job.seed)
            .limit(1)
        ).first()
        is not None
    ]
