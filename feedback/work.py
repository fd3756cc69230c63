"""What the sampler should draw next, and the record of what it drew."""

import hashlib
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import takewhile

from sqlalchemy import Engine, func
from sqlmodel import Session, col, select

from feedback.versions import PLAIN
from store.engine import reading, writing
from store.files import sha256_of
from store.tables import Alias, AliasName, Image, Lease, Origin, Prompt, Version, Vote, utc_now

# Sampling seeds lie below, evaluation seeds from here on: a training image can never be an evaluation image.
FIRST_EVALUATION_SEED = 2**31


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
    engine: Engine, *, target: int, batch: int, base_slice: float, pairs: int, now: datetime | None = None
) -> list[Work]:
    """Up to `batch` pictures: for the queue while fewer than `target` are free, then for the same-seed grids.

    Empty when nothing is missing, or no prompt is active.
    """
    with reading(engine) as session:
        alias = session.get(Alias, AliasName.champion)
        prompts = list(session.exec(select(Prompt).where(col(Prompt.is_active)).order_by(col(Prompt.id))))
        if alias is None or not prompts:
            return []
        missing = target - _free(session, alias.version, now or utc_now())
        if missing > 0:
            newest = session.exec(select(func.max(Image.id))).one() or 0
            planned = [_planned(newest + i, prompts, alias.version, base_slice) for i in range(min(missing, batch))]
            # The leading run of one version: what is left out must come next, or it would never be drawn.
            return list(takewhile(lambda work: work.version == planned[0].version, planned))
        return _grid_work(session, prompts, pairs)[:batch]


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


def _free(session: Session, champion: int, now: datetime) -> int:
    """Queued images of the champion and the base that nobody has judged or holds."""
    return session.exec(
        select(func.count(col(Image.id))).where(
            col(Image.is_queued),
            col(Image.version).in_([champion, PLAIN]),
            ~select(Vote.id).where(Vote.image_id == Image.id).exists(),
            ~select(Lease.id).where(Lease.image_id == Image.id, Lease.expires_at > now).exists(),
        )
    ).one()


def _planned(ordinal: int, prompts: Sequence[Prompt], champion: int, base_slice: float) -> Work:
    """The ordinal-th picture: every prompt once in random order, then every prompt again."""
    lap, place = divmod(ordinal, len(prompts))
    prompt = random.Random(lap).sample(list(prompts), len(prompts))[place]
    chance = random.Random(f"{ordinal}")
    version = PLAIN if chance.random() < base_slice else champion
    return _work(prompt, chance.randrange(FIRST_EVALUATION_SEED), version, Origin.sampled)


def _grid_work(session: Session, prompts: Sequence[Prompt], pairs: int) -> list[Work]:
    """What the same-seed grids still lack, for the first version that lacks anything (newest first)."""
    wanted = _grid_pairs(session, prompts, pairs)
    for version in session.exec(select(Version.number).order_by(col(Version.number).desc())):
        is_evaluation = (Image.version == version, Image.origin == Origin.evaluation)
        drawn = set(session.exec(select(Image.prompt_id, Image.seed).where(*is_evaluation)))
        lacking = [(prompt, seed) for prompt, seed in wanted if (prompt.id, seed) not in drawn]
        if lacking:
            return [_work(prompt, seed, version, Origin.evaluation) for prompt, seed in lacking]
    return []


def _grid_pairs(session: Session, prompts: Sequence[Prompt], pairs: int) -> list[tuple[Prompt, int]]:
    """Prompt and seed of each grid picture: those drawn before stay, so that the versions stay comparable."""
    drawn = select(Image.prompt_id, Image.seed).where(Image.origin == Origin.evaluation).distinct()
    known = sorted(session.exec(drawn), key=lambda pair: pair[1])[:pairs]
    by_hash = sorted(prompts, key=lambda prompt: hashlib.sha256(prompt.text.encode()).digest())
    fresh = [(by_hash[i % len(by_hash)], FIRST_EVALUATION_SEED + i) for i in range(len(known), pairs)]
    return [(session.get_one(Prompt, prompt_id), seed) for prompt_id, seed in known] + fresh


def _work(prompt: Prompt, seed: int, version: int, origin: Origin) -> Work:
    assert prompt.id is not None
    return Work(prompt.id, prompt.text, seed, version, origin)
