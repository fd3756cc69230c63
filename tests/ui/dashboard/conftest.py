from datetime import timedelta

import pytest

from feedback.figures.summary import VersionRow
from feedback.rate.queue import next_images
from feedback.rate.terms import Terms
from feedback.rate.votes import Press, record_votes
from store.engine import writing
from store.tables import Mark, Reason, Verdict, VoteReason, utc_now

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
