"""What the sampler should draw next."""

import random
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import datetime
from functools import lru_cache
from itertools import accumulate, islice, takewhile
from typing import NamedTuple

from sqlalchemy import Engine, func
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from feedback.pool.counts import POOLED
from feedback.pool.damage import is_sound
from feedback.reservations import CLAIM_S, latest_end, still_lasts
from feedback.sample.asking import draw_prompt, lacking, rooms
from feedback.sample.conditions import drawn_under, must_draw
from feedback.sample.evaluation import FIRST_EVALUATION_SEED, active_pairs, ensure_default, held_out
from feedback.sample.release import nobody_judged, pairs_to_judge, room_to_compare
from feedback.sample.work import Wanted, Work, claim_key
from feedback.succession import PLAIN, compared, replaced_by, usable_aliases
from store.engine import reading
from store.files import sha256_of
from store.tables import Claim, EvaluationPair, Image, Lease, Origin, Prompt, Version, utc_now

RECENT = 1000  # images among which a plan looks for pictures that were drawn out of turn
CHUNK = 16  # pictures that are planned by one query
GRID = 12  # pairs that every version draws, for the eye; those that are compared by votes draw the whole set


def next_work(engine: Engine, wanted: Wanted, now: datetime | None = None) -> list[Work]:
    """Pictures to draw: for the queue while too few are free, then for the same-seed grids.

    Evaluation pictures join the queue by `release`. Empty when nothing is missing, or no prompt is active.
    """
    ensure_default(engine, wanted.pairs)
    with reading(engine) as session:
        return plan_work(session, wanted, now or utc_now())


def plan_work(session: Session, wanted: Wanted, now: datetime) -> list[Work]:
    """What `next_work` gives, in a session that reads, without the default evaluation set."""
    live, challenger = usable_aliases(session)
    if live is None or session.exec(_active_prompts().limit(1)).first() is None:
        return []
    claims = list(session.exec(select(Claim).where(still_lasts(Claim.expires_at, now, latest_end(now, CLAIM_S)))))
    taken = {claim.key for claim in claims}
    coming = Counter(claim.origin for claim in claims)
    at_random, asked = rooms(wanted.target, wanted.ask_share)
    missing = at_random - _free(session, [live, PLAIN], wanted, now) - coming[Origin.sampled]
    if missing > 0:
        if lacked := _to_compare(session, wanted, taken):
            return list(takewhile(lambda work: work.version == lacked[0].version, lacked))[: wanted.batch]
        return _first_run(_in_turn(session, live, wanted.base_slice, taken), min(missing, wanted.batch))
    missing = lacking(session, live, asked) - coming[Origin.asked]
    if missing > 0:
        return _first_run(_asked(session, live, wanted.base_slice, taken), min(missing, wanted.batch))
    return [] if wanted.only_queue else _grid_work(session, (live, challenger), wanted, taken)[: wanted.batch]


def _to_compare(session: Session, wanted: Wanted, taken: Collection[str]) -> list[Work]:
    """What two versions lack of the pairs that raters should judge, while the queue has room for them."""
    found = compared(session)
    if found is None or room_to_compare(session, wanted.target, wanted.evaluation_share) <= 0:
        return []
    if not {found.new, found.old} <= set(session.exec(_sound_versions())):
        return []
    sides = [(found.new, (found.old,)), (found.old, (found.new,))]
    return _lacking(session, sides, wanted, len(pairs_to_judge(session)), taken)


def _first_run(planned: Iterator[Work], most: int) -> list[Work]:
    """The leading run of one version: what is left out must come next, or it would never be drawn."""
    works = list(islice(planned, most))
    return list(takewhile(lambda work: work.version == works[0].version, works))


class Draft(NamedTuple):
    """A picture without a seed, which comes by its chance."""

    prompt_id: int
    version: int
    chance: random.Random


def _in_turn(session: Session, live: int, base_slice: float, taken: Collection[str]) -> Iterator[Work]:
    """What the queue's next pictures are, without end, but for those that a worker draws or drew before its turn.

    Every prompt as often as it weighs, in random order, then all again; never an evaluation pair.
    """
    rows = session.exec(select(Prompt.id, Prompt.weight).where(col(Prompt.is_active)).order_by(col(Prompt.id)))
    ids, weights = zip(*rows, strict=True)
    ends = list(accumulate(weights))

    def draft(ordinal: int) -> Draft:
        lap, place = divmod(ordinal, ends[-1])
        chance = random.Random(f"{ordinal}")
        turn = _order(lap, ends[-1])[place]
        return Draft(ids[bisect_right(ends, turn)], PLAIN if chance.random() < base_slice else live, chance)

    return _still_undrawn(session, draft, Origin.sampled, taken)


def _asked(session: Session, live: int, base_slice: float, taken: Collection[str]) -> Iterator[Work]:
    """The same of the pictures that raters are asked about, whose prompts come by weight."""
    prompt_for = draw_prompt(session, live)

    def draft(ordinal: int) -> Draft:
        chance = random.Random(f"asked {ordinal}")
        return Draft(prompt_for(chance), PLAIN if chance.random() < base_slice else live, chance)

    return _still_undrawn(session, draft, Origin.asked, taken)


def _still_undrawn(
    session: Session, draft: Callable[[int], Draft], origin: Origin, taken: Collection[str]
) -> Iterator[Work]:
    newest = newest_image(session)
    recent = select(Image.prompt_id, Image.seed, Image.version).where(col(Image.id) > newest - RECENT)
    drawn = set(session.exec(recent.where(col(Image.origin).in_(POOLED))))
    for ordinals in _chunks(newest):
        for work in _with_seeds(session, [draft(ordinal) for ordinal in ordinals], origin):
            if claim_key(work) not in taken and (work.prompt_id, work.seed, work.version) not in drawn:
                yield work


def _chunks(first: int) -> Iterator[range]:
    """All ordinals from the first one: few at a time, then more, where many workers hold the next ones."""
    size = CHUNK
    while True:
        yield range(first, first + size)
        first, size = first + size, min(2 * size, 16 * CHUNK)


def _with_seeds(session: Session, drafts: Sequence[Draft], origin: Origin) -> list[Work]:
    """Each draft with the first seed of its chance that makes no evaluation pair."""
    ids = {draft.prompt_id for draft in drafts}
    prompts = {prompt.id: prompt for prompt in session.exec(select(Prompt).where(col(Prompt.id).in_(ids)))}
    texts = [prompts[draft.prompt_id].text for draft in drafts]
    seeds = [draft.chance.randrange(FIRST_EVALUATION_SEED) for draft in drafts]
    while held := held_out(session, list(zip(texts, seeds, strict=True))):
        for place, pair in enumerate(zip(texts, seeds, strict=True)):
            if pair in held:
                seeds[place] = drafts[place].chance.randrange(FIRST_EVALUATION_SEED)
    return [
        _work(prompts[draft.prompt_id], seed, draft.version, origin) for draft, seed in zip(drafts, seeds, strict=True)
    ]


def _free(session: Session, versions: Sequence[int], wanted: Wanted, now: datetime) -> int:
    """Queued images that nobody has judged or holds: those drawn by these versions, and all evaluation images.

    While raters are asked about chosen pictures, those are counted elsewhere (`lacking`).
    """
    lasts = still_lasts(Lease.expires_at, now, latest_end(now, wanted.lease_s))
    return session.exec(
        select(func.count(col(Image.id))).where(
            col(Image.is_queued),
            col(Image.version).in_(versions) | (Image.origin == Origin.evaluation),
            nobody_judged(),
            ~select(Lease.id).where(Lease.image_id == Image.id, lasts).exists(),
            is_sound(),
            Image.origin != Origin.imported,
            *([Image.origin != Origin.asked] if wanted.ask_share else []),
        )
    ).one()


@lru_cache(maxsize=4)
def _order(lap: int, turns: int) -> list[int]:
    """In which order a lap goes through the turns of the prompts."""
    return random.Random(lap).sample(range(turns), turns)


def _active_prompts() -> SelectOfScalar[Prompt]:
    return select(Prompt).where(col(Prompt.is_active))


def newest_image(session: Session) -> int:
    """The id of the picture drawn last; 0 before the first."""
    return session.exec(select(func.max(Image.id))).one() or 0


def _grid_work(session: Session, aliases: tuple[int, int | None], wanted: Wanted, taken: Collection[str]) -> list[Work]:
    """What the evaluation set still lacks, for the first version that lacks anything (newest first)."""
    live, challenger = aliases
    before = replaced_by(session, live) if live is not None else None
    partners: dict[int | None, list[int | None]] = {before: [live], challenger: [live]}
    partners |= {PLAIN: [live], live: [PLAIN, challenger, before]}
    for version in session.exec(_sound_versions().order_by(col(Version.number).desc())):
        whole = version in (live, challenger, PLAIN)
        beside = tuple(one for one in partners.get(version, ()) if one is not None and one != version)
        if lacking := _lacking(session, [(version, beside)], wanted, None if whole else GRID, taken):
            return lacking
    return []


def _sound_versions() -> SelectOfScalar[int]:
    return select(Version.number).where(Version.damage == "")


def _lacking(
    session: Session,
    versions: Sequence[tuple[int, Sequence[int]]],
    wanted: Wanted,
    first: int | None = None,
    taken: Collection[str] = (),
) -> list[Work]:
    """The pairs that these versions have not drawn and no worker draws, in an order that splits each across time.

    Each version comes with those it is compared with. Where both have drawn a pair, but not alike, each draws it again
    under the conditions of now.
    """
    pairs = active_pairs(session)[:first]
    if not pairs:
        return []
    texts = {prompt.id: prompt for prompt in session.exec(_prompts_of(pairs))}
    numbers = {number for version, beside in versions for number in (version, *beside)}
    drawn = {number: drawn_under(session, number) for number in numbers}
    lacking = [
        _work(texts[pair.prompt_id], pair.seed, version, Origin.evaluation)
        for version, beside in versions
        for pair in pairs
        if must_draw((pair.prompt_id, pair.seed), drawn[version], [drawn[one] for one in beside], wanted.conditions)
    ]
    free = [work for work in lacking if claim_key(work) not in taken]
    [(newest, _), *_] = versions
    return sorted(free, key=lambda work: sha256_of(f"{newest} {work.version} {work.seed} {work.prompt_id}".encode()))


def _prompts_of(pairs: Sequence[EvaluationPair]) -> SelectOfScalar[Prompt]:
    """The prompts of the first pairs of a set; by a query in it, because a database takes only so many values."""
    of_set = EvaluationPair.set_id == pairs[0].set_id, EvaluationPair.ordinal <= pairs[-1].ordinal
    return select(Prompt).where(col(Prompt.id).in_(select(EvaluationPair.prompt_id).where(*of_set)))


def _work(prompt: Prompt, seed: int, version: int, origin: Origin) -> Work:
    assert prompt.id is not None
    return Work(prompt.id, prompt.text, seed, version, origin)
