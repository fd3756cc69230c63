"""What the sampler should draw next, and the record of what it drew."""

import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import takewhile

from sqlalchemy import Engine, func
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from feedback.evaluation import FIRST_EVALUATION_SEED, active_pairs, ensure_default, held, pair_hash
from feedback.versions import PLAIN, pointed
from store.engine import reading, writing
from store.files import sha256_of
from store.tables import AliasName, EvaluationPair, Image, Lease, Origin, Prompt, Version, Vote, utc_now

GRID = 12  # pairs that every version draws, for the eye; those that are compared by votes draw the whole set


@dataclass(frozen=True)
class Work:
    """One picture to draw."""

    prompt_id: int
    prompt: str
    seed: int
    version: int
    origin: Origin


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


def next_work(
    engine: Engine,
    *,
    target: int,
    batch: int,
    base_slice: float,
    pairs: int,
    evaluation_share: float = 0.0,
    now: datetime | None = None,
) -> list[Work]:
    """Up to `batch` pictures: for the queue while fewer than `target` are free, then for the same-seed grids.

    While there is a challenger, `evaluation_share` of the queue are its pictures and the champion's, of the evaluation
    set; `release` puts them there. Empty when nothing is missing, or no prompt is active.
    """
    ensure_default(engine, pairs)
    with reading(engine) as session:
        live, challenger = (pointed(session, name) for name in (AliasName.champion, AliasName.challenger))
        prompts = list(session.exec(select(Prompt).where(col(Prompt.is_active)).order_by(col(Prompt.id))))
        if live is None or not prompts:
            return []
        missing = target - _free(session, [live, PLAIN], now or utc_now())
        if missing > 0:
            if challenger is not None and _compared(session, target, evaluation_share) > 0:
                compared = _lacking(session, [challenger, live], challenger)
                if compared:
                    return list(takewhile(lambda work: work.version == compared[0].version, compared))[:batch]
            newest, never = session.exec(select(func.max(Image.id))).one() or 0, held(session)
            count = min(missing, batch)
            planned = [_planned(newest + i, prompts, live, base_slice, never) for i in range(count)]
            # The leading run of one version: what is left out must come next, or it would never be drawn.
            return list(takewhile(lambda work: work.version == planned[0].version, planned))
        return _grid_work(session, live, challenger)[:batch]


def release(engine: Engine, target: int, evaluation_share: float, now: datetime | None = None) -> int:
    """How many evaluation pictures of the challenger and the champion were put into the queue, blind and shuffled.

    So that pairs are split across time, a few wait at a time: `evaluation_share` of `target`.
    """
    with reading(engine) as session:
        if _compared(session, target, evaluation_share) <= 0 or not _unreleased(session):
            return 0
    with writing(engine) as session:
        room = _compared(session, target, evaluation_share)
        chosen = _unreleased(session)[: max(0, room)]
        for image in chosen:
            image.is_queued = True
            session.add(image)
        return len(chosen)


def work_key(work: Work, drawing: Drawing) -> str:
    """SHA-256 that names a picture: the same work is never recorded twice."""
    return sha256_of(repr(sorted((asdict(work) | asdict(drawing)).items())).encode())


def record_images(engine: Engine, drawn: Sequence[tuple[Work, str, str]], drawing: Drawing) -> int:
    """How many of the drawn pictures (work, image hash, latent hash) were new; sampled ones join the queue."""
    with writing(engine) as session:
        rows = [_row(work, drawing, image, latent) for work, image, latent in drawn]
        keys = {row.work_key: row for row in rows}
        known = set(session.exec(select(Image.work_key).where(col(Image.work_key).in_(list(keys)))))
        new = [row for key, row in keys.items() if key not in known]
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
        **asdict(drawing),
    )


def _free(session: Session, versions: Sequence[int], now: datetime) -> int:
    """Queued images that nobody has judged or holds: sampled ones of these versions, and all evaluation images."""
    return session.exec(
        select(func.count(col(Image.id))).where(
            col(Image.is_queued),
            col(Image.version).in_(versions) | (Image.origin == Origin.evaluation),
            ~select(Vote.id).where(Vote.image_id == Image.id).exists(),
            ~select(Lease.id).where(Lease.image_id == Image.id, Lease.expires_at > now).exists(),
        )
    ).one()


def _compared(session: Session, target: int, share: float) -> int:
    """How many evaluation pictures the queue has room for; none without a challenger."""
    if share <= 0 or pointed(session, AliasName.challenger) is None:
        return 0
    untouched = ~select(Vote.id).where(Vote.image_id == Image.id).exists()
    waiting = select(func.count(col(Image.id))).where(
        col(Image.is_queued), Image.origin == Origin.evaluation, untouched
    )
    return max(1, round(share * target)) - session.exec(waiting).one()


def _unreleased(session: Session) -> list[Image]:
    """Evaluation pictures of champion and challenger that never waited, in an order that tells nothing."""
    live, challenger = (pointed(session, name) for name in (AliasName.champion, AliasName.challenger))
    wanted = {(pair.prompt_id, pair.seed) for pair in active_pairs(session)}
    drawn = session.exec(
        select(Image).where(
            col(Image.version).in_([live, challenger]),
            Image.origin == Origin.evaluation,
            ~col(Image.is_queued),
            ~select(Vote.id).where(Vote.image_id == Image.id).exists(),
        )
    )
    found = [image for image in drawn if (image.prompt_id, image.seed) in wanted]
    return sorted(found, key=lambda image: sha256_of(f"{challenger} {image.work_key}".encode()))


def _planned(ordinal: int, prompts: Sequence[Prompt], champion: int, base_slice: float, never: set[str]) -> Work:
    """The ordinal-th picture: every prompt once in random order, then every prompt again; never an evaluation pair."""
    lap, place = divmod(ordinal, len(prompts))
    prompt = random.Random(lap).sample(list(prompts), len(prompts))[place]
    chance = random.Random(f"{ordinal}")
    version = PLAIN if chance.random() < base_slice else champion
    seed = chance.randrange(FIRST_EVALUATION_SEED)
    while pair_hash(prompt.text, seed) in never:
        seed = chance.randrange(FIRST_EVALUATION_SEED)
    return _work(prompt, seed, version, Origin.sampled)


def _grid_work(session: Session, live: int, challenger: int | None) -> list[Work]:
    """What the evaluation set still lacks, for the first version that lacks anything (newest first)."""
    for version in session.exec(select(Version.number).order_by(col(Version.number).desc())):
        whole = version in (live, challenger, PLAIN)
        if lacking := _lacking(session, [version], version, None if whole else GRID):
            return lacking
    return []


def _lacking(session: Session, versions: Sequence[int], shuffle: int, first: int | None = None) -> list[Work]:
    """The pairs that these versions have not drawn, in an order that splits each pair across time."""
    pairs = active_pairs(session)[:first]
    if not pairs:
        return []
    texts = {prompt.id: prompt for prompt in session.exec(_prompts_of(pairs))}
    lacking = []
    for version in versions:
        is_evaluation = (Image.version == version, Image.origin == Origin.evaluation)
        drawn = set(session.exec(select(Image.prompt_id, Image.seed).where(*is_evaluation)))
        lacking += [
            _work(texts[pair.prompt_id], pair.seed, version, Origin.evaluation)
            for pair in pairs
            if (pair.prompt_id, pair.seed) not in drawn
        ]
    return sorted(
        lacking, key=lambda work: sha256_of(f"{shuffle} {work.version} {work.seed} {work.prompt_id}".encode())
    )


def _prompts_of(pairs: Sequence[EvaluationPair]) -> SelectOfScalar[Prompt]:
    ids = {pair.prompt_id for pair in pairs}
    return select(Prompt).where(col(Prompt.id).in_(ids))


def _work(prompt: Prompt, seed: int, version: int, origin: Origin) -> Work:
    assert prompt.id is not None
    return Work(prompt.id, prompt.text, seed, version, origin)
