"""Work that a worker holds, so that no other draws it, and the record of what was drawn."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta

from sqlalchemy import Engine, delete, update
from sqlmodel import Session, col, select

from feedback.pool.counts import POOLED
from feedback.reservations import CLAIM_S, latest_end, still_lasts
from feedback.sample.conditions import conditions_id
from feedback.sample.evaluation import ensure_default
from feedback.sample.plan import newest_image, plan_work
from feedback.sample.tries import Tries
from feedback.sample.work import Drawing, Wanted, Work, claim_key, work_key
from store.engine import planning, reading, writing
from store.tables import Claim, Image, PictureScore, PictureTry, utc_now


def claim_work(engine: Engine, worker: str, wanted: Wanted, now: datetime | None = None) -> list[Work]:
    """What `next_work` gives, reserved for `worker`: no other is given the same while the claim lasts.

    The plan is made before the writer's turn, so that no vote waits for it, and by one worker at a time. What another
    worker drew meanwhile is left out; when that is all of it, there is a new plan.
    """
    ensure_default(engine, wanted.pairs)
    with planning(engine):
        return claim_planned(engine, worker, wanted, now or utc_now())


def claim_planned(engine: Engine, worker: str, wanted: Wanted, now: datetime) -> list[Work]:
    """The same for a worker that others may plan beside: one of an earlier program, or after its lock was lost."""
    while True:
        with reading(engine) as session:
            works, newest = plan_work(session, wanted, now), newest_image(session)
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


def keep_claims(engine: Engine, worker: str) -> None:
    """Renews what `worker` holds."""
    until = utc_now() + timedelta(seconds=CLAIM_S)
    with writing(engine, is_durable=False) as session:
        session.exec(update(Claim).where(col(Claim.worker) == worker).values(expires_at=until))


def drop_work(engine: Engine, works: Sequence[Work]) -> None:
    """Gives back these pieces of work, which could not be drawn."""
    with writing(engine) as session:
        session.exec(delete(Claim).where(col(Claim.key).in_([claim_key(work) for work in works])))


def drop_claims(engine: Engine, worker: str) -> None:
    """Gives back what `worker` holds and has not drawn."""
    with writing(engine) as session:
        session.exec(delete(Claim).where(col(Claim.worker) == worker))


def record_images(
    engine: Engine, drawn: Sequence[tuple[Work, str, str]], drawing: Drawing, tries: Sequence[Tries] = ()
) -> int:
    """How many of the drawn pictures (work, image hash, latent hash) were new; sampled and asked ones join the queue.

    Their claims are gone with it. `tries` are those of each picture, or none of any.
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
        session.flush()
        tried = {row.work_key: one for row, one in zip(rows, tries, strict=False)}
        session.add_all(row for one in new for row in _tries(one, tried.get(one.work_key, Tries())))
    return len(new)


def _tries(image: Image, tries: Tries) -> list[PictureTry | PictureScore]:
    assert image.id is not None
    if tries.score is None:
        return []
    scored = PictureScore(image_id=image.id, version=image.version, score=tries.score, is_out_of_sample=True)
    rows = [
        PictureTry(image_id=image.id, number=number, score=score, is_kept=number == tries.kept)
        for number, score in enumerate(tries.scores, 1)
    ]
    return [scored, *rows]


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


def _row(work: Work, drawing: Drawing, sha256: str, latent_sha256: str) -> Image:
    return Image(
        work_key=work_key(work, drawing),
        sha256=sha256,
        latent_sha256=latent_sha256,
        prompt_id=work.prompt_id,
        seed=work.seed,
        version=work.version,
        origin=work.origin,
        is_queued=work.origin in POOLED,
        **{name: value for name, value in asdict(drawing).items() if name != "conditions"},
    )
