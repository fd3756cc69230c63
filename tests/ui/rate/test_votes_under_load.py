"""Fifty raters vote through the real routes at once: nothing is lost, nothing twice, and nobody waits."""

import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlmodel import select

from bench.rate.http_rater import HttpRater
from feedback.pool.tally import differences
from store.engine import reading
from store.migrate import check_integrity
from store.tables import Rater, Vote

RATERS, VOTES, AT_ONCE = 50, 200, 5
P99_LIMIT_S = 1.0


def vote_through(url: str, name: str) -> tuple[set[str], list[float]]:
    """The request ids that were acknowledged, and the seconds each batch took.

    As the page does while earlier votes are on their way: several keys, then all of them in one request.
    """
    rater, sent, took = HttpRater(url, name), set[str](), deque[float]()
    while len(sent) < VOTES:
        rater.refill()
        for _ in range(len(rater.queue) // AT_ONCE):
            began = time.perf_counter()
            sent |= rater.vote(min(AT_ONCE, VOTES - len(sent)))
            took.append(time.perf_counter() - began)
    rater.connection.close()
    return sent, list(took)


@pytest.mark.slow
@pytest.mark.alone
def test_fifty_raters_with_two_hundred_votes_each(settings, engine, fill, serve) -> None:
    names = [f"rater {number}" for number in range(RATERS)]
    fill(engine, images=RATERS * (VOTES + 30))
    with serve(settings) as served, ThreadPoolExecutor(RATERS) as threads:
        done = list(threads.map(lambda name: vote_through(served.url, name), names))
    with reading(engine) as session:
        rows = session.exec(select(Rater.name, Vote.request_id, Vote.image_id).join(Vote)).all()
    acknowledged = {(name, request_id) for name, (sent, _) in zip(names, done, strict=True) for request_id in sent}
    assert len(rows) == len(acknowledged) == RATERS * VOTES
    assert {(name, request_id) for name, request_id, _ in rows} == acknowledged
    # A repeat is judged twice, by the same rater; no picture by two.
    assert len({image_id for *_, image_id in rows}) == len({(name, image_id) for name, _, image_id in rows})
    assert check_integrity(engine) == []
    assert differences(engine) == []
    waits = sorted(wait for _, took in done for wait in took)
    print(f"p99 {waits[int(0.99 * len(waits))]:.2f} s, longest {waits[-1]:.2f} s")
    assert waits[int(0.99 * len(waits))] <= P99_LIMIT_S
