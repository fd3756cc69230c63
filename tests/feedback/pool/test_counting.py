"""What one vote changes, decided from the state before it."""

from collections.abc import Callable
from datetime import date
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import Engine, delete
from sqlmodel import select

from feedback.pool.counting import NewVote, before_vote, changes_of, image_counts
from feedback.pool.tally import _new_rejects
from feedback.rate.raters import rater_id
from store.engine import reading, writing
from store.tables import CurrentVote, Image, ImageTally, NewRejects, Origin, Rater, Verdict, VersionTally, VoteCount
from tests.feedback.rating import rate

YESTERDAY, TODAY = date(2026, 5, 31), date(2026, 6, 1)
REJECT, KEEP, SKIP, UNDO = Verdict.reject, Verdict.keep, Verdict.skip, Verdict.undo


def state(**known: object) -> Any:
    """The state before a first vote on a queued picture of v1, except for what is given."""
    nothing = {"verdict": None, "day": None, "rejects": None, "keeps": None, "ruled": None, "overlap": None}
    image = {"version": 1, "origin": Origin.sampled, "is_queued": True}
    return SimpleNamespace(**nothing | image | {"is_excluded": False, "is_trained": False} | known)


def changed(before: Any, verdict: Verdict, overlap: int = 1) -> dict[type, tuple[dict, dict]]:
    """What a vote of today adds and puts, by table."""
    changes = changes_of(before, NewVote(5, 2, verdict, 77, TODAY), overlap)
    return {change.table: (change.add, change.put) for change in changes}


def test_a_first_reject_enters_every_counter() -> None:
    found = changed(state(), REJECT)
    assert found[CurrentVote] == ({}, {"verdict": REJECT, "vote_id": 77, "day": TODAY})
    assert found[VoteCount] == ({"rejects": 1}, {})
    assert found[ImageTally] == ({"rejects": 1, "keeps": 0}, {})
    assert found[VersionTally] == ({"rejected": 1}, {})
    assert found[NewRejects] == ({"count": 1}, {})
    assert found[Image] == ({}, {"is_queued": False})


def test_a_change_of_mind_leaves_the_day_of_the_first_vote() -> None:
    before = state(verdict=REJECT, day=YESTERDAY, rejects=1, keeps=0, is_queued=False)
    counts = [change for change in changes_of(before, NewVote(5, 2, KEEP, 77, TODAY), 1) if change.table is VoteCount]
    assert [(change.key["day"], change.add) for change in counts] == [
        (YESTERDAY, {"rejects": -1}),
        (TODAY, {"keeps": 1}),
    ]
    assert changed(before, KEEP)[VersionTally] == ({"rejected": -1, "kept": 1}, {})
    assert changed(before, KEEP)[NewRejects] == ({"count": -1}, {})


def test_an_undone_vote_leaves_every_counter_and_queues_the_picture() -> None:
    found = changed(state(verdict=REJECT, day=TODAY, rejects=1, keeps=0, is_queued=False), UNDO)
    assert found[ImageTally] == ({"rejects": -1, "keeps": 0}, {})
    assert found[Image] == ({}, {"is_queued": True})


def test_a_tie_is_disputed() -> None:
    found = changed(state(rejects=1, keeps=0), KEEP, overlap=2)
    assert found[Image] == ({}, {"is_queued": False})
    assert found[VersionTally] == ({"rejected": -1, "disputed": 1, "vote_pairs": 1}, {})


def test_a_skip_changes_no_counter() -> None:
    assert set(changed(state(), SKIP)) == {CurrentVote}


@pytest.mark.parametrize("is_queued", [False, True])
@pytest.mark.parametrize("before", [{}, {"verdict": SKIP, "day": YESTERDAY}, {"rejects": 1, "keeps": 1}])
def test_a_mere_skip_neither_queues_a_picture_nor_takes_it_out(is_queued: bool, before: dict[str, object]) -> None:
    assert Image not in changed(state(is_queued=is_queued, **before), SKIP, overlap=1)
    assert Image not in changed(state(is_queued=is_queued, **before), SKIP, overlap=3)


def test_a_vote_changed_to_a_skip_gives_the_picture_to_others() -> None:
    before = state(verdict=KEEP, day=YESTERDAY, rejects=0, keeps=1, is_queued=False)
    assert changed(before, SKIP)[Image] == ({}, {"is_queued": True})


@pytest.mark.parametrize(("overlap", "asked", "is_queued"), [(None, 2, False), (3, 1, True), (2, 9, False)])
def test_a_picture_waits_for_as_many_raters_as_it_asks_for_or_the_setting_where_it_asks_for_none(
    overlap: int | None, asked: int, is_queued: bool
) -> None:
    before = state(overlap=overlap, rejects=0, keeps=1, is_queued=not is_queued)
    assert changed(before, KEEP, overlap=asked)[Image] == ({}, {"is_queued": is_queued})


def test_a_control_never_waits_in_the_queue() -> None:
    assert changed(state(origin=Origin.control), KEEP, overlap=9)[Image] == ({}, {"is_queued": False})


def test_a_vote_said_again_the_same_day_changes_no_counter() -> None:
    before = state(verdict=KEEP, day=TODAY, rejects=0, keeps=1, is_queued=False)
    assert set(changed(before, KEEP)) == {CurrentVote}


def test_a_vote_said_again_another_day_moves_to_it() -> None:
    before = state(verdict=KEEP, day=YESTERDAY, rejects=0, keeps=1, is_queued=False)
    counts = [change for change in changes_of(before, NewVote(5, 2, KEEP, 77, TODAY), 1) if change.table is VoteCount]
    assert [(change.key["day"], change.add) for change in counts] == [(YESTERDAY, {"keeps": -1}), (TODAY, {"keeps": 1})]


def test_each_change_names_the_row_it_changes() -> None:
    owner = {"version": 1, "origin": Origin.sampled}
    keys = {change.table: change.key for change in changes_of(state(), NewVote(5, 2, REJECT, 77, TODAY), 1)}
    assert keys == {
        CurrentVote: {"image_id": 5, "rater_id": 2},
        VoteCount: owner | {"rater_id": 2, "day": TODAY},
        ImageTally: {"image_id": 5},
        VersionTally: owner,
        NewRejects: {"id": 1},
        Image: {"id": 5},
    }


@pytest.mark.parametrize(("floor", "is_trained"), [(4, False), (5, False), (6, True)])
def test_pictures_below_the_floor_are_no_new_rejects(
    floor: int, is_trained: bool, any_engine: Engine, fill: Callable
) -> None:
    fill(any_engine, images=6)
    with writing(any_engine) as session:
        rater = rater_id(session, "ann")
        session.merge(NewRejects(id=1, floor=floor))
        session.flush()
        assert before_vote(session, rater, 5, "none").is_trained is is_trained


def test_a_vote_of_an_excluded_rater_changes_no_counter() -> None:
    assert set(changed(state(is_excluded=True), REJECT)) == {CurrentVote}


@pytest.mark.parametrize("before", [{"origin": Origin.evaluation}, {"origin": Origin.control}, {"is_trained": True}])
def test_only_a_sampled_picture_that_trained_nothing_is_a_new_reject(before: dict[str, object]) -> None:
    assert NewRejects not in changed(state(**before), REJECT)


def test_pairs_of_votes_are_counted_for_the_agreement() -> None:
    assert image_counts(2, 3) == {"rejected": 0, "kept": 1, "disputed": 0, "vote_pairs": 10, "agreeing": 4}
    assert image_counts(2, 2) == {"rejected": 0, "kept": 0, "disputed": 1, "vote_pairs": 6, "agreeing": 2}
    assert image_counts(2, 1) == {"rejected": 1, "kept": 0, "disputed": 0, "vote_pairs": 3, "agreeing": 1}
    assert image_counts(2, 1, KEEP) == {"rejected": 0, "kept": 1, "disputed": 0, "vote_pairs": 3, "agreeing": 1}
    assert image_counts(0, 0) == {"rejected": 0, "kept": 0, "disputed": 0, "vote_pairs": 0, "agreeing": 0}


@pytest.mark.parametrize("queued", [True, False])
def test_a_skip_moves_no_picture_into_the_queue_or_out_of_it(queued: bool) -> None:
    """A picture of a version that was replaced is out of the queue, and a skip must not bring it back."""
    assert Image not in changed(state(is_queued=queued), SKIP)
    assert Image not in changed(state(is_queued=queued, rejects=1, keeps=0), SKIP)


def test_a_vote_changed_to_a_skip_queues_the_picture_again() -> None:
    assert changed(state(verdict=REJECT, day=TODAY, rejects=1, keeps=0, is_queued=False), SKIP)[Image] == (
        {},
        {"is_queued": True},
    )


@pytest.mark.parametrize(
    ("overlap", "own", "is_queued"), [(1, None, False), (2, None, True), (1, 2, True), (2, 1, False)]
)
def test_a_picture_is_queued_while_it_has_fewer_votes_than_raters_wanted(
    overlap: int, own: int | None, is_queued: bool
) -> None:
    found = changed(state(overlap=own), REJECT, overlap)
    assert found.get(Image, ({}, {"is_queued": True}))[1]["is_queued"] is is_queued


def test_a_control_never_enters_the_queue() -> None:
    assert Image not in changed(state(origin=Origin.control, is_queued=False), REJECT, overlap=9)


def test_a_picture_of_the_floor_is_new_and_the_one_before_it_too_old(any_engine: Engine, fill: Callable) -> None:
    before, at, after = fill(any_engine, images=3)
    rate(any_engine, "ann", dict.fromkeys((before, at, after), REJECT))
    with writing(any_engine) as session:
        ann = session.exec(select(Rater.id)).one()
        session.exec(delete(NewRejects))
        session.add(NewRejects(floor=at, count=0))
    with reading(any_engine) as session:
        trained = {image: before_vote(session, ann, image, "r").is_trained for image in (before, at, after)}
        assert _new_rejects(session, at) == 2
    assert trained == {before: True, at: False, after: False}


def test_a_vote_on_a_picture_with_a_curators_verdict_moves_no_verdict() -> None:
    found = changed(state(ruled=KEEP), REJECT)
    assert (set(found) & {VersionTally, NewRejects}, found[ImageTally]) == (set(), ({"rejects": 1, "keeps": 0}, {}))
