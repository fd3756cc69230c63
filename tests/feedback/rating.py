"""Votes through the real queue, and the pool they make."""

from datetime import UTC, datetime
from itertools import count

from sqlalchemy import Engine
from sqlmodel import col, select

from feedback.pool.pool import PoolItem, pool
from feedback.rate.queue import next_images
from feedback.rate.terms import Terms
from feedback.rate.votes import Press, record_votes
from store.engine import reading
from store.tables import Image, Repeat, Verdict

REQUEST = count()
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
REJECT, KEEP = Verdict.reject, Verdict.keep


def rate(engine: Engine, rater: str, verdicts: dict[int, Verdict]) -> None:
    """The rater's verdicts by picture, at NOON; none may be refused."""
    next_images(engine, rater, Terms(9, 600), count=500)
    presses = [Press(f"request {next(REQUEST)}", image, verdict) for image, verdict in verdicts.items()]
    receipts = record_votes(engine, rater, presses, Terms(9, 600), now=lambda: NOON)
    assert not any(receipt.refused for receipt in receipts)


def image_of(engine: Engine, number: int) -> Image:
    """The picture that a rater knows by this number."""
    with reading(engine) as session:
        again = select(Repeat.image_id).where(Repeat.number == number)
        return session.exec(select(Image).where((Image.number == number) | col(Image.id).in_(again))).one()


def pool_of(engine: Engine) -> list[PoolItem]:
    with reading(engine) as session:
        return pool(session)


def pool_ids(engine: Engine) -> list[int]:
    return [item.image_id for item in pool_of(engine)]
