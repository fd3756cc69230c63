"""Which votes a new version's check sends to be looked at again."""

from collections.abc import Callable

import pytest
from sqlalchemy import Engine
from sqlmodel import select

from feedback.check.looks import select_waiting
from feedback.check.version_check import VersionCheck
from feedback.people.decisions import Decision, decide
from feedback.rate.terms import Mix
from store.engine import reading, writing
from store.tables import RaterAction, Repeat, SecondLook, Vote
from tests.feedback.doubts import ON, doubt
from tests.feedback.rate.queues import hand_of, queue, vote
from tests.feedback.rating import KEEP, REJECT

CHANCES = dict.fromkeys(range(1, 20), 0.1) | dict.fromkeys(range(20, 40), 0.9) | {40: 0.05}
"""1 to 20 are kept, 21 to 40 rejected: 20 and 40 look like slips."""


@pytest.fixture
def judged(any_engine: Engine, fill: Callable) -> Engine:
    """Forty pictures, the first twenty kept and the others rejected by ann."""
    images = fill(any_engine, images=40)
    for image in (known := queue(any_engine, "ann")):
        vote(any_engine, "ann", image, KEEP if image <= 20 else REJECT)
    assert sorted(known) == images == list(CHANCES)
    return any_engine


def waiting(engine: Engine) -> list[int]:
    with reading(engine) as session:
        return sorted(session.execute(select_waiting()).scalars())


def test_the_newest_versions_check_says_which_votes_wait(judged: Engine) -> None:
    assert doubt(judged, 1, CHANCES) == 2
    assert waiting(judged) == [20, 40]
    with reading(judged) as session:
        rows = {row.image_id: (row.version, round(row.chance, 3)) for row in session.exec(select(SecondLook))}
    assert rows == {20: (1, 0.9), 40: (1, 0.05)}
    assert doubt(judged, 2, CHANCES | {20: 0.1}) == 1
    assert waiting(judged) == [40]
    assert doubt(judged, 3, CHANCES) == 2
    assert waiting(judged) == [20, 40]


def test_no_vote_waits_while_the_check_of_the_newest_version_is_off(judged: Engine) -> None:
    doubt(judged, 1, CHANCES)
    assert doubt(judged, 2, CHANCES, VersionCheck(ON.how, "the check is off", curve=ON.curve)) == 0
    assert waiting(judged) == []
    assert doubt(judged, 3, CHANCES, None) == 0
    assert waiting(judged) == []


def test_a_vote_that_was_replaced_or_joined_by_another_waits_no_longer_and_is_not_asked_for_again(
    judged: Engine, fill: Callable
) -> None:
    doubt(judged, 1, CHANCES)
    vote(judged, "ann", 20, KEEP)
    fill(judged, images=9)
    hand_of(judged, "bob", 9, Mix(looks=1))
    vote(judged, "bob", 40, REJECT)
    assert waiting(judged) == []
    assert doubt(judged, 2, CHANCES) == 0


def test_what_a_rater_was_given_again_and_what_waits_for_more_raters_is_not_asked_for(judged: Engine) -> None:
    with writing(judged) as session:
        first = session.exec(select(Vote).where(Vote.image_id == 20)).one()
        session.add(Repeat(rater_id=first.rater_id, image_id=20, first_vote_id=first.id or 0))
    assert doubt(judged, 1, CHANCES) == 1
    assert waiting(judged) == [40]


def test_pictures_that_are_queued_for_more_raters_are_not_asked_for(any_engine: Engine, fill: Callable) -> None:
    fill(any_engine, images=40)
    for image in queue(any_engine, "ann", overlap=2):
        vote(any_engine, "ann", image, KEEP if image <= 20 else REJECT, overlap=2)
    assert doubt(any_engine, 1, CHANCES) == 0


def test_the_votes_of_an_excluded_rater_do_not_wait(judged: Engine) -> None:
    doubt(judged, 1, CHANCES)
    decide(judged, "ann", Decision(RaterAction.exclude, "root", "x"))
    assert waiting(judged) == []
    assert doubt(judged, 2, CHANCES) == 0
