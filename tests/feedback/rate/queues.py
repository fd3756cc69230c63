"""Raters at the queue: what they are shown, and what was done to the pictures."""

from datetime import UTC, datetime
from itertools import count

from sqlalchemy import Engine, update

from feedback.rate.queue import Shown, next_images
from feedback.rate.terms import Mix, Terms
from feedback.rate.votes import Press, record_votes
from store.engine import writing
from store.tables import Control, Image, Verdict

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
REQUEST = count()


def queue(
    engine: Engine, rater: str, images: int = 99, *, overlap: int = 1, now: datetime = NOON, lease_s: float = 600
) -> list[int]:
    shown = next_images(engine, rater, Terms(overlap, lease_s), count=images, now=now)
    return [image.image_id for image in shown]


def hand_of(engine: Engine, rater: str, images: int, mix: Mix) -> list[Shown]:
    return next_images(engine, rater, Terms(1, 600, mix), count=images, now=NOON)


def change(engine: Engine, images: list[int], **columns: object) -> None:
    with writing(engine) as session:
        session.exec(update(Image).where(Image.id.in_(images)).values(**columns))


def controls_of(engine: Engine, images: list[int]) -> set[int]:
    with writing(engine) as session:
        session.add_all(Control(image_id=image, answer=Verdict.reject, source="by hand") for image in images)
    return set(images)


def vote(engine: Engine, rater: str, image: int, verdict: Verdict, *, overlap: int = 1, now: datetime = NOON) -> None:
    press = Press(f"request {next(REQUEST)}", image, verdict)
    [receipt] = record_votes(engine, rater, [press], Terms(overlap, 600), now=lambda: now)
    assert not receipt.refused
