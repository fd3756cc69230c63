"""How fast one name may vote, and how much new names may hold."""

from uuid import uuid4

import pytest
from sqlmodel import func, select
from starlette.applications import Starlette
from starlette.testclient import TestClient

from store.engine import reading
from store.errors import BadRequest, TooFast
from store.tables import Vote
from ui.rate.pace import A_SECOND, BURST, FORGET_S, FULL_HANDS, Newcomers, Pace
from ui.rate.page_data import LIMITS
from ui.rate.routes import routes


class Clock:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_the_fastest_grid_a_person_can_send_is_never_slowed() -> None:
    clock = Clock()
    pace = Pace(clock)
    for _ in range(1000):
        pace.take("ann", max(LIMITS.sweepSizes))
        clock.now += 4.5


def test_a_browser_that_was_offline_sends_all_it_kept() -> None:
    clock = Clock()
    pace, left, waited = Pace(clock), 3000, 0
    while left:
        try:
            pace.take("ann", LIMITS.batchSize)
            left -= LIMITS.batchSize
        except TooFast as error:
            clock.now += error.retry_s
            waited += error.retry_s
    assert waited < 3000 / A_SECOND


def test_a_flood_is_slowed_to_the_pace_and_told_when_to_come_again() -> None:
    clock = Clock()
    pace, sent = Pace(clock), 0
    for _ in range(800):  # 376 votes a second, for 8 seconds
        clock.now += 0.01
        try:
            pace.take("eve", 4)
            sent += 4
        except TooFast as error:
            assert 1 <= error.retry_s <= 2
    assert sent <= BURST + 8 * A_SECOND
    pace.take("ann", 36)  # others are not slowed


def test_a_name_in_other_letters_has_no_pace_of_its_own() -> None:
    pace = Pace(Clock())
    pace.take("Eve Smith", BURST)
    for same in ("eve smith", " EVE  Smith "):
        with pytest.raises(TooFast):
            pace.take(same, 1)
    with pytest.raises(BadRequest):
        pace.take("\n", 1)


def test_a_pace_that_was_kept_is_forgotten() -> None:
    clock = Clock()
    pace = Pace(clock)
    for number in range(1500):
        pace.take(f"rater {number}", 1)
        clock.now += 1
    assert len(pace.spent) < 1100


def test_the_first_new_names_of_an_address_get_full_hands_and_the_rest_one_picture() -> None:
    clock = Clock()
    newcomers = Newcomers(clock)
    hands = [newcomers.hand("10.0.0.1", f"name {number}", 24) for number in range(200)]
    assert hands == [24] * FULL_HANDS + [1] * (200 - FULL_HANDS)
    assert newcomers.hand("10.0.0.1", "NAME 3", 24) == 24
    assert newcomers.hand("10.0.0.2", "honest", 24) == 24
    clock.now += FORGET_S
    assert newcomers.hand("10.0.0.1", "honest", 24) == 24


@pytest.fixture
def client(engine, settings) -> TestClient:
    return TestClient(Starlette(routes=routes(lambda: engine, settings)), base_url="http://127.0.0.1:8501")


def ask(client: TestClient, rater: str, count: int = 24) -> list[int]:
    images = client.post("/naysayer/next", json={"rater": rater, "count": count}).json()["images"]
    return [image["id"] for image in images]


def test_a_flood_over_http_is_answered_with_429_and_loses_no_vote(client, engine, draw):
    draw(30)
    [number, *_] = ask(client, "eve")
    votes, status, left = 0, 200, [str(uuid4()) for _ in range(BURST + 100)]
    while status == 200:
        batch = [{"request_id": one, "image_id": number, "verdict": "reject"} for one in left[:100]]
        answer = client.post("/naysayer/votes", json={"rater": "eve", "votes": batch})
        status = answer.status_code
        if status == 200:
            votes, left = votes + len(batch), left[100:]
    assert (status, votes) == (429, BURST)
    assert 1 <= int(answer.headers["retry-after"]) <= 100 / A_SECOND + 1
    assert "none is lost" in answer.json()["error"]
    with reading(engine) as session:
        assert session.exec(select(func.count(Vote.id))).one() == BURST
    [other, *_] = ask(client, "ann")
    one = {"request_id": str(uuid4()), "image_id": other, "verdict": "keep"}
    assert client.post("/naysayer/votes", json={"rater": "ann", "votes": [one]}).status_code == 200


def test_two_hundred_names_over_http_leave_an_honest_rater_work(client, draw):
    draw(292)
    for number in range(200):
        ask(client, f"name {number}")
    hand = ask(client, "honest")
    assert hand
    votes = [{"request_id": str(uuid4()), "image_id": number, "verdict": "keep"} for number in hand]
    receipts = client.post("/naysayer/votes", json={"rater": "honest", "votes": votes}).json()["receipts"]
    assert [receipt["refused"] for receipt in receipts] == [""] * len(hand)
    assert ask(client, "honest")
