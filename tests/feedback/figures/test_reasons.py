"""The shares of reasons, against a plain count of a random history."""

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from sqlalchemy import Engine, delete
from sqlmodel import select

from feedback.figures.reasons import Likely, Named, changes, count_reasons, is_named_alike
from feedback.pool.tally import rebuild
from feedback.pool.verdicts import Outcome, outcome
from feedback.rate.raters import rater_id
from store.engine import writing
from store.tables import CurrentVote, Image, Origin, Rater, Reason, Verdict, Vote, VoteReason

PRESSES = st.lists(
    st.tuples(
        st.integers(1, 3), st.integers(1, 8), st.sampled_from(Verdict), st.sets(st.sampled_from(Reason), max_size=2)
    ),
    max_size=40,
)


@pytest.fixture
def drawn(any_engine: Engine, fill: Callable, publish_version: Callable) -> Engine:
    """Pictures 1 to 3 of the base, 4 to 7 of v1, 8 of an evaluation set; three raters, the third one excluded."""
    publish_version(any_engine, 1)
    fill(any_engine, images=3)
    fill(any_engine, images=4, version=1)
    fill(any_engine, images=1, version=1, origin=Origin.evaluation)
    with writing(any_engine) as session:
        assert [rater_id(session, name) for name in ("ann", "bob", "cat")] == [1, 2, 3]
        session.get_one(Rater, 3).is_excluded = True
    return any_engine


@examples(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(presses=PRESSES)
def test_a_picture_counts_once_for_each_reason_that_a_rater_who_rejected_it_names(drawn: Engine, presses: list) -> None:
    with writing(drawn) as session:
        for table in (VoteReason, CurrentVote, Vote):
            session.exec(delete(table))
        for n, (rater, image, verdict, reasons) in enumerate(presses):
            press = Vote(request_id=f"{n}", rater_id=rater, image_id=image, verdict=verdict)
            session.add(press)
            session.flush()
            if verdict is Verdict.reject:
                session.add_all(VoteReason(vote_id=press.id, reason=reason) for reason in sorted(reasons))
        rebuild(session)
        pictures = {image.id: image.version for image in session.exec(select(Image)) if image.origin is Origin.sampled}
    current = {(rater, image): (verdict, reasons) for rater, image, verdict, reasons in presses if rater != 3}

    for version, found in count_reasons(drawn, [0, 1]).items():
        judged, rejected, explained, by_reason = 0, 0, 0, dict.fromkeys(Reason, 0)
        for picture in [image for image, of in pictures.items() if of == version]:
            votes = [said for (_, image), said in current.items() if image == picture]
            verdict = outcome(said for said, _ in votes)
            judged += verdict in (Outcome.reject, Outcome.keep)
            if verdict is Outcome.reject:
                named = {reason for said, reasons in votes if said is Verdict.reject for reason in reasons}
                rejected, explained = rejected + 1, explained + bool(named)
                by_reason = {reason: n + (reason in named) for reason, n in by_reason.items()}
        assert found == Named(version, judged, rejected, explained, tuple(by_reason.values()))


def named(version: int, judged: int, *reasons: int, rejected: int = 0) -> Named:
    counts = (*reasons, *[0] * (len(Reason) - len(reasons)))
    return Named(version, judged, rejected or sum(counts), sum(counts), counts)


def test_a_change_that_one_reason_would_show_is_not_beyond_chance_among_nine() -> None:
    alone = changes(named(1, 100, 5), named(0, 100, 14))
    assert [one.likely for one in alone] == [Likely.fewer]
    among = changes(named(1, 100, 5, *[3] * 8), named(0, 100, 14, *[3] * 8))
    assert {one.likely for one in among} == {Likely.unknown}
    assert among[0].reason is Reason.hands


def test_nothing_is_claimed_of_a_version_without_judged_pictures() -> None:
    assert [one.likely for one in changes(named(1, 0), named(0, 400, 200))] == [Likely.unknown]


def test_reasons_that_raters_stopped_naming_are_noticed() -> None:
    assert is_named_alike(named(1, 400, 36, rejected=40), named(0, 400, 90, rejected=100))
    assert not is_named_alike(named(1, 400, 10, rejected=40), named(0, 400, 90, rejected=100))
