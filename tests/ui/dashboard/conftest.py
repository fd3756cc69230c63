from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import Engine
from sqlmodel import col, select

from feedback.figures.summary import VersionRow
from feedback.rate.queue import next_images
from feedback.rate.terms import Terms
from feedback.rate.votes import Press, record_votes
from feedback.sample.evaluation import import_set
from feedback.sample.release import release
from feedback.sample.work import Job
from feedback.succession import AT_ONCE
from feedback.versions import promote
from store.engine import reading, writing
from store.settings import Settings
from store.tables import Image, Mark, Origin, Reason, Verdict, Vote, VoteReason, utc_now
from tests.ui.conftest import PROMPTS, put_pictures

PAIRS = 12
TERMS = Terms(1, 600)
HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture
def rated(engine, draw):
    """Three pictures with a hostile prompt, rejected by a hostile name and kept by ada; one mark, one reason."""
    draw(3, prompts=[HOSTILE])
    now = utc_now()
    for rater, verdict in ((HOSTILE, Verdict.reject), ("ada", Verdict.keep), ("eve", Verdict.reject)):
        images = next_images(engine, rater, Terms(3, 600), count=3)
        presses = [
            Press(f"{rater[-3:-1]}-{image.image_id}", image.image_id, verdict, "one", now, now + timedelta(seconds=2))
            for image in images
        ]
        assert not any(receipt.refused for receipt in record_votes(engine, rater, presses, Terms(3, 600)))
    with writing(engine) as session:
        session.add_all([VoteReason(vote_id=1, reason=Reason.hands), Mark(vote_id=1, x=0.25, y=1.5)])
    return engine


def row(number: int, rejected: int, judged: int, *aliases: str) -> VersionRow:
    """A version with these counts, rated by two people."""
    return VersionRow(number, aliases, rejected, judged, judged, 2, 0, utc_now())


def vote_on(engine, count: int, verdict: Verdict) -> None:
    """Ada's verdict on the next pictures of her queue."""
    images = next_images(engine, "ada", Terms(1, 600), count=count)
    presses = [Press(f"request-{verdict}-{image.image_id}", image.image_id, verdict) for image in images]
    record_votes(engine, "ada", presses, Terms(1, 600))


def take_back(engine: Engine) -> None:
    """Ada keeps what she voted on first."""
    with reading(engine) as session:
        image_id = session.exec(select(Vote.image_id).order_by(col(Vote.id))).first() or 0
    [receipt] = record_votes(engine, "ada", [Press("again", image_id, Verdict.keep)], TERMS)
    assert not receipt.refused


def judge(engine: Engine, disliked: int) -> None:
    """Rates every evaluation picture that is compared now; only those of one version are rejected."""
    release(engine, 100, 1.0)
    shown = next_images(engine, "ada", TERMS, count=100)
    with reading(engine) as session:
        bad = set(session.exec(select(Image.id).where(Image.version == disliked, Image.origin == Origin.evaluation)))
    said = {one.image_id: Verdict.reject if one.image_id in bad else Verdict.keep for one in shown}
    presses = [Press(f"p{number}", number, verdict) for number, verdict in said.items()]
    assert not any(receipt.refused for receipt in record_votes(engine, "ada", presses, TERMS))


@pytest.fixture
def compared(settings: Settings, engine: Engine, publish_version: Callable) -> Engine:
    """v1 is champion and better than v0, which it replaced; v2 challenges it and is worse."""
    put_pictures(settings, engine, 1, first_seed=900)
    import_set(engine, "walked", [Job(PROMPTS[seed % len(PROMPTS)], seed) for seed in range(PAIRS)])
    for number in (0, 1, 2):
        if number:
            publish_version(engine, number)
        put_pictures(settings, engine, PAIRS, version=number, origin=Origin.evaluation)
        if number == 1:
            judge(engine, disliked=0)
            promote(engine, 1, AT_ONCE)
        elif number == 2:
            judge(engine, disliked=2)
    return engine
