"""The cap on one rater's rejects in the pool."""

from collections.abc import Callable
from datetime import date

import pytest
from sqlalchemy import Engine, update
from sqlmodel import func, select

from feedback.people.decisions import Decision, decide
from feedback.people.reliability import rater_figures
from feedback.pool.curation import curate
from feedback.pool.pool import how_due, pool
from feedback.pool.share import FLOOR, SHARE, capped_raters
from feedback.pool.tally import differences
from feedback.retrain.manifest import freeze
from store.engine import reading, writing
from store.tables import CurrentVote, Image, Origin, PoolAction, RaterAction, Vote, VoteCount, utc_now
from tests.feedback.rating import KEEP, REJECT, pool_ids, rate

FLOOD = 400


def flood(engine: Engine, fill: Callable, others: int = 20) -> tuple[list[int], list[int]]:
    """eve rejects FLOOD pictures of the base, ann a few others."""
    images = fill(engine, images=FLOOD + others)
    eves, anns = images[:FLOOD], images[FLOOD:]
    rate(engine, "eve", dict.fromkeys(eves, REJECT))
    if anns:
        rate(engine, "ann", dict.fromkeys(anns, REJECT))
    return eves, anns


def test_one_rater_alone_is_not_capped(any_engine: Engine, fill: Callable) -> None:
    eves, _ = flood(any_engine, fill, others=0)
    assert pool_ids(any_engine) == eves
    assert how_due(any_engine, 40).new_rejects == FLOOD


def test_beside_others_a_rater_has_at_most_the_share_and_the_oldest_votes_count(
    any_engine: Engine, fill: Callable
) -> None:
    eves, anns = flood(any_engine, fill)
    counted = 60  # three quarters, ann having twenty
    assert pool_ids(any_engine) == eves[:counted] + anns
    assert how_due(any_engine, 40).new_rejects == counted + len(anns)
    assert [i.image_id for i in freeze(any_engine, "0" * 64).items] == eves[:counted] + anns
    with reading(any_engine) as session:
        assert session.exec(select(func.count(Vote.id))).one() == FLOOD + len(anns), "no vote is lost"
        assert [one[2:] for one in capped_raters(session, SHARE)] == [(FLOOD, counted)]
        assert len(pool(session, share=1)) == FLOOD + len(anns)
        assert len(pool(session, share=0.9)) == 180 + len(anns)
    assert differences(any_engine) == []


def test_the_first_rejects_always_count(any_engine: Engine, fill: Callable) -> None:
    eves, anns = flood(any_engine, fill, others=1)
    assert pool_ids(any_engine) == eves[:FLOOR] + anns


def test_pictures_that_were_taken_out_use_up_no_share(any_engine: Engine, fill: Callable) -> None:
    eves, anns = flood(any_engine, fill)
    curate(any_engine, eves[:100], PoolAction.exclude, by="curator", reason="imported, and upscaled")
    assert pool_ids(any_engine) == eves[100:160] + anns
    assert how_due(any_engine, 40).new_rejects == 60 + len(anns)


def test_a_reject_that_another_shares_counts_whoever_is_capped(any_engine: Engine, fill: Callable) -> None:
    eves, anns = flood(any_engine, fill)
    rate(any_engine, "ann", {eves[300]: REJECT, eves[301]: KEEP})
    assert pool_ids(any_engine) == [*eves[:63], eves[300], *anns], "ann has 21 now, so 63 of eve's count"


def test_keeps_are_not_capped_and_a_capped_reject_becomes_no_keep(any_engine: Engine, fill: Callable) -> None:
    eves, anns = flood(any_engine, fill)
    rate(any_engine, "eve", dict.fromkeys(eves[350:], KEEP))
    with reading(any_engine) as session:
        roles = {item.image_id: item.role.value for item in pool(session)}
    assert {roles[image] for image in eves[350:]} == {"keep"}
    assert sum(role == "reject" for role in roles.values()) == 60 + len(anns)


def test_a_rater_alone_on_a_version_is_capped_while_others_rated_this_week(
    any_engine: Engine, fill: Callable, publish_version: Callable
) -> None:
    publish_version(any_engine, 1)
    rate(any_engine, "ann", dict.fromkeys(fill(any_engine, images=3), KEEP))
    new = fill(any_engine, images=FLOOR + 30, version=1)
    rate(any_engine, "eve", dict.fromkeys(new, REJECT))
    with writing(any_engine) as session:
        session.exec(update(VoteCount).values(day=utc_now().date()))
    with reading(any_engine) as session:
        assert len(capped_raters(session, SHARE)) == 1
    with writing(any_engine) as session:
        session.exec(update(VoteCount).where(VoteCount.keeps > 0).values(day=date(2020, 1, 1)))
    with reading(any_engine) as session:
        assert capped_raters(session, SHARE) == []


def test_an_excluded_rater_caps_nobody_and_is_not_capped(any_engine: Engine, fill: Callable) -> None:
    eves, anns = flood(any_engine, fill)
    decide(any_engine, "eve", Decision(RaterAction.exclude, "root", "a flood"))
    assert pool_ids(any_engine) == anns
    decide(any_engine, "eve", Decision(RaterAction.include, "root", "no flood"))
    decide(any_engine, "ann", Decision(RaterAction.exclude, "root", "away"))
    assert pool_ids(any_engine) == eves


def test_the_raters_page_says_what_does_not_count_and_that_votes_came_at_once(
    any_engine: Engine, fill: Callable
) -> None:
    flood(any_engine, fill)
    with writing(any_engine) as session:  # as many key presses again, in the same minute
        rows = session.exec(select(Vote).where(Vote.image_id <= 100)).all()
        session.add_all(
            Vote(request_id=f"more {row.id}", rater_id=row.rater_id, image_id=row.image_id, verdict=row.verdict,
                 received_at=row.received_at)
            for row in rows
        )  # fmt: skip
    flags = {row.name: row.flags for row in rater_figures(any_engine)}
    assert any("340 of 400 rejects on v0 do not count in the pool" in flag for flag in flags["eve"])
    assert any("500 votes arrived in one minute" in flag for flag in flags["eve"])
    assert flags["ann"] == []


@pytest.mark.parametrize("origin", [Origin.evaluation, Origin.control])
def test_only_sampled_pictures_are_capped(origin: Origin, any_engine: Engine, fill: Callable) -> None:
    flood(any_engine, fill)
    with writing(any_engine) as session:
        voted = select(CurrentVote.image_id)
        session.exec(update(Image).where(Image.id.in_(voted)).values(origin=origin))
        session.exec(update(VoteCount).values(origin=origin))
    with reading(any_engine) as session:
        assert capped_raters(session, SHARE) == []
