"""What the sampler should draw next, and the record of what it drew."""

import random
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import count, islice, takewhile

from sqlalchemy import Engine, delete, func
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from feedback.pool.damage import is_sound
from feedback.reservations import CLAIM_S, latest_end, still_lasts
from feedback.sample.conditions import UNKNOWN, Conditions, conditions_id, drawn_under, must_draw
from feedback.sample.evaluation import FIRST_EVALUATION_SEED, active_pairs, ensure_default, is_held_out
from feedback.sample.job import Job
from feedback.sample.release import nobody_judged, room_to_compare
from feedback.versions import PLAIN, usable_aliases
from store.engine import reading, writing
from store.files import sha256_of
from store.tables import Claim, EvaluationPair, Image, Lease, Origin, Prompt, Version, utc_now

RECENT = 1000  # images among which a plan looks for pictures that were drawn out of turn
GRID = 12  # pairs that every version draws, for the eye; those that are compared by votes draw the whole set


@dataclass(frozen=True)
class Work:
    """One picture to draw."""

    prompt_id: int
    prompt: str
    seed: int
    version: int
    origin: Origin

    @property
    def job(self) -> Job:
        return Job(self.prompt, self.seed)


@dataclass(frozen=True)
class Drawing:
    """How a picture was drawn; with prompt, seed and version it names the picture."""

    rule: str
    strength: float
    guidance_scale: float
    num_inference_steps: int
    width: int
    height: int
    negative_prompt: str = ""
    conditions: Conditions = UNKNOWN


@dataclass(frozen=True)
class Wanted:
    """How much to draw: at most `batch` pictures, while fewer than `target` are free to be rated.

    `base_slice` of them come from the plain base. The default evaluation set has `pairs` pairs. While there is a
    challenger, `evaluation_share` of the queue are its pictures and the champion's, of the evaluation set.
    A picture is reserved for a rater for `lease_s`.
    """

    target: int
    batch: int
    base_slice: float
    pairs: int
    evaluation_share: float = 0.0
    conditions: Conditions = UNKNOWN
    lease_s: float = 366 * 86_400


def next_work(engine: Engine, wanted: Wanted, now: datetime | None = None) -> list[Work]:
    """Pictures to draw: for the queue while too few are free, then for the same-seed grids.

    Evaluation pictures join the queue by `release`. Empty when nothing is missing, or no prompt is active.
    """
    ensure_default(engine, wanted.pairs)
    with reading(engine) as session:
        return _plan(session, wanted, now or utc_now())


def claim_work(engine: Engine, worker: str, wanted: Wanted, now: datetime | None = None) -> list[Work]:
    """What `next_work` gives, reserved for `worker`: no other is given the same while the claim lasts.

    The plan is made before the writer's turn, so that no vote waits for it. What another worker claimed or drew
    meanwhile is left out; when that is all of it, there is a new plan.
    """
    ensure_default(engine, wanted.pairs)
    now = now or utc_now()
    while True:
        with reading(engine) as session:
            works, newest = _plan(session, wanted, now), _newest_image(session)
        if not works:
            return []
        with writing(engine, is_durable=False) as session:
            session.exec(delete(Claim).where(~still_lasts(Claim.expires_at, now, latest_end(now, CLAIM_S))))
            free = _still_free(session, works, newest)
            until = now + timedelta(seconds=CLAIM_S)
            session.add_all(
                Claim(key=claim_key(work), worker=worker, version=work.version, origin=work.origin, expires_at=until)
                for work in free
            )
        if free:
            return free


def _still_free(session: Session, works: Sequence[Work], newest: int) -> list[Work]:
    """The works that nobody claims, and nobody drew since the image `newest`."""
    keys = [claim_key(work) for work in works]
    held = set(session.exec(select(Claim.key).where(col(Claim.key).in_(keys))))
    since = select(Image.prompt_id, Image.seed, Image.version, Image.origin).where(col(Image.id) > newest)
    drawn = set(session.exec(since))
    return [
        work
        for work, key in zip(works, keys, strict=True)
        if key not in held and (work.prompt_id, work.seed, work.version, work.origin) not in drawn
    ]


def drop_work(engine: Engine, works: Sequence[Work]) -> None:
    """Gives back these pieces of work, which could not be drawn."""
    with writing(engine) as session:
        session.exec(delete(Claim).where(col(Claim.key).in_([claim_key(work) for work in works])))


def _plan(session: Session, wanted: Wanted, now: datetime) -> list[Work]:
    live, challenger = usable_aliases(session)
    if live is None or session.exec(_active_prompts().limit(1)).first() is None:
        return []
    claims = list(session.exec(select(Claim).where(still_lasts(Claim.expires_at, now, latest_end(now, CLAIM_S)))))
    taken = {claim.key for claim in claims}
    coming = sum(claim.origin is Origin.sampled for claim in claims)
    missing = wanted.target - _free(session, [live, PLAIN], wanted, now) - coming
    if missing > 0:
        if challenger is not None and room_to_compare(session, wanted.target, wanted.evaluation_share) > 0:
            compared = _lacking(session, [(challenger, (live,)), (live, (challenger,))], wanted, taken=taken)
            if compared:
                return list(takewhile(lambda work: work.version == compared[0].version, compared))[: wanted.batch]
        planned = list(islice(_in_turn(session, live, wanted.base_slice, taken), min(missing, wanted.batch)))
        # The leading run of one version: what is left out must come next, or it would never be drawn.
        return list(takewhile(lambda work: work.version == planned[0].version, planned))
    return _grid_work(session, (live, challenger), wanted, taken)[: wanted.batch]


def _in_turn(session: Session, live: int, base_slice: float, taken: Collection[str]) -> Iterator[Work]:
    """What the queue's next pictures are, without end, but for those that a worker draws or drew before its turn."""
    newest = _newest_image(session)
    prompts = session.exec(select(func.count(col(Prompt.id))).where(col(Prompt.is_active))).one()
    recent = select(Image.prompt_id, Image.seed, Image.version).where(col(Image.id) > newest - RECENT)
    drawn = set(session.exec(recent.where(Image.origin == Origin.sampled)))
    for ordinal in count(newest):
        work = _planned(session, ordinal, prompts, live, base_slice)
        if claim_key(work) not in taken and (work.prompt_id, work.seed, work.version) not in drawn:
            yield work


def work_key(work: Work, drawing: Drawing) -> str:
    """SHA-256 that names a picture: the same work is never recorded twice."""
    own = asdict(work) | asdict(drawing) | {"conditions": drawing.conditions.body}
    if drawing.conditions == UNKNOWN:
        del own["conditions"]
    return sha256_of(repr(sorted(own.items())).encode())


def claim_key(work: Work) -> str:
    """SHA-256 that names a piece of work, however it is drawn."""
    return sha256_of(repr((work.prompt_id, work.seed, work.version, work.origin.value)).encode())


def record_images(engine: Engine, drawn: Sequence[tuple[Work, str, str]], drawing: Drawing) -> int:
    """How many of the drawn pictures (work, image hash, latent hash) were new; sampled ones join the queue.

    Their claims are gone with it.
    """
    with writing(engine) as session:
        done = [claim_key(work) for work, _, _ in drawn]
        session.exec(delete(Claim).where(col(Claim.key).in_(done)))
        rows = [_row(work, drawing, image, latent) for work, image, latent in drawn]
        keys = {row.work_key: row for row in rows}
        known = set(session.exec(select(Image.work_key).where(col(Image.work_key).in_(list(keys)))))
        new = [row for key, row in keys.items() if key not in known]
        under = conditions_id(session, drawing.conditions)
        for row in new:
            row.conditions_id = under
        session.add_all(new)
    return len(new)


def _row(work: Work, drawing: Drawing, sha256: str, latent_sha256: str) -> Image:
    return Image(
        work_key=work_key(work, drawing),
        sha256=sha256,
        latent_sha256=latent_sha256,
        prompt_id=work.prompt_id,
        seed=work.seed,
        version=work.version,
        origin=work.origin,
        is_queued=work.origin is Origin.sampled,
        **{name: value for name, value in asdict(drawing).items() if name != "conditions"},
    )


def _free(session: Session, versions: Sequence[int], wanted: Wanted, now: datetime) -> int:
    """Queued images that nobody has judged or holds: sampled ones of these versions, and all evaluation images."""
    lasts = still_lasts(Lease.expires_at, now, latest_end(now, wanted.lease_s))
    return session.exec(
        select(func.count(col(Image.id))).where(
            col(Image.is_queued),
            col(Image.version).in_(versions) | (Image.origin == Origin.evaluation),
            nobody_judged(),
            ~select(Lease.id).where(Lease.image_id == Image.id, lasts).exists(),
            is_sound(),
        )
    ).one()


def _planned(session: Session, ordinal: int, prompts: int, champion: int, base_slice: float) -> Work:
    """The ordinal-th picture: every prompt once in random order, then every prompt again; never an evaluation pair."""
    lap, place = divmod(ordinal, prompts)
    prompt = session.exec(_active_prompts().order_by(col(Prompt.id)).offset(_order(lap, prompts)[place]).limit(1)).one()
    chance = random.Random(f"{ordinal}")
    version = PLAIN if chance.random() < base_slice else champion
    seed = chance.randrange(FIRST_EVALUATION_SEED)
    while is_held_out(session, prompt.text, seed):
        seed = chance.randrange(FIRST_EVALUATION_SEED)
    return _work(prompt, seed, version, Origin.sampled)


@lru_cache(maxsize=4)
def _order(lap: int, prompts: int) -> list[int]:
    """In which order a lap goes through the prompts, by their place in the list."""
    return random.Random(lap).sample(range(prompts), prompts)


def _active_prompts() -> SelectOfScalar[Prompt]:
    return select(Prompt).where(col(Prompt.is_active))


def _newest_image(session: Session) -> int:
    return session.exec(select(func.max(Image.id))).one() or 0


def _grid_work(session: Session, aliases: tuple[int, int | None], wanted: Wanted, taken: Collection[str]) -> list[Work]:
    """What the evaluation set still lacks, for the first version that lacks anything (newest first)."""
    live, challenger = aliases
    partners: dict[int | None, list[int | None]] = {PLAIN: [live], live: [PLAIN, challenger], challenger: [live]}
    sound = select(Version.number).where(Version.damage == "")
    for version in session.exec(sound.order_by(col(Version.number).desc())):
        whole = version in (live, challenger, PLAIN)
        beside = tuple(one for one in partners.get(version, ()) if one is not None and one != version)
        if lacking := _lacking(session, [(version, beside)], wanted, None if whole else GRID, taken):
            return lacking
    return []


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
