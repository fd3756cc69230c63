"""The gallery: what each filter shows, and how many pictures pass it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from sqlalchemy import Engine
from sqlmodel import select

from feedback.people.decisions import Decision, decide
from feedback.pool.browse.gallery import Accord, Filter, Sort, View, Which, gallery, matching
from feedback.pool.curation import curate
from feedback.rate.queue import next_images
from feedback.rate.terms import Terms
from feedback.rate.votes import Press, record_votes
from store.engine import writing
from store.tables import Image, Mark, Origin, PictureScore, PoolAction, RaterAction, Reason, Verdict, Vote, VoteReason
from tests.feedback.doubts import doubt

REQUEST = count()
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
REJECT, KEEP = Verdict.reject, Verdict.keep


def rate(engine: Engine, rater: str, verdicts: dict[int, Verdict], now: datetime = NOON) -> None:
    next_images(engine, rater, Terms(9, 600), count=500, now=now)
    presses = [Press(f"request {next(REQUEST)}", image, verdict) for image, verdict in verdicts.items()]
    record_votes(engine, rater, presses, Terms(9, 600), now=lambda: now)


def shown(engine: Engine, **wanted: object) -> list[int]:
    found = gallery(engine, Filter(**wanted))
    assert (found.total, found.is_more) == (len(found.thumbs), False)
    return [thumb.image_id for thumb in found.thumbs]


@pytest.fixture
def rated(any_engine: Engine, fill: Callable, publish_version: Callable) -> Engine:
    """Images 1 to 3 of v0 and 4 to 6 of v1; ann rejects 1, 2, 4; bob rejects 1 and keeps 2 and 5, a day later."""
    publish_version(any_engine, 1)
    fill(any_engine, images=3)
    fill(any_engine, images=3, version=1)
    rate(any_engine, "ann", {1: REJECT, 2: REJECT, 4: REJECT})
    rate(any_engine, "bob", {1: REJECT, 2: KEEP, 5: KEEP}, NOON + timedelta(days=1))
    with writing(any_engine) as session:
        vote = session.exec(select(Vote).where(Vote.image_id == 4)).one()
        session.add_all([VoteReason(vote_id=vote.id, reason=Reason.hands), Mark(vote_id=vote.id, x=0.25, y=0.5)])
    return any_engine


def test_each_filter_shows_what_it_says(rated: Engine):
    assert shown(rated) == [4, 1]
    assert shown(rated, which=Which.keeps) == [5]
    assert shown(rated, which=Which.disputed) == [2]
    assert shown(rated, version=1) == [4]
    assert shown(rated, prompt="RED") == [4, 1]
    assert shown(rated, prompt="%") == []
    assert shown(rated, rater="bob") == [1]
    assert shown(rated, reason=Reason.hands) == [4]
    assert shown(rated, reason=Reason.text) == []
    assert shown(rated, accord=Accord.divided) == []
    assert shown(rated, accord=Accord.unanimous) == [4, 1]
    assert shown(rated, since=(NOON + timedelta(days=1)).date()) == [1]
    assert shown(rated, until=NOON.date()) == [4, 1]
    assert shown(rated, until=(NOON - timedelta(days=1)).date()) == []


def test_what_was_taken_out_is_shown_apart(rated: Engine):
    curate(rated, [1], PoolAction.exclude, by="root", reason="blurred")
    assert (shown(rated), shown(rated, which=Which.taken_out)) == ([4], [1])


def test_pages_hold_every_picture_once(engine: Engine, fill: Callable):
    images = fill(engine, images=25)
    rate(engine, "ann", dict.fromkeys(images, REJECT))
    pages = [gallery(engine, Filter(), View(page, 10)) for page in range(4)]
    assert [len(page.thumbs) for page in pages] == [10, 10, 5, 0]
    assert [thumb.image_id for page in pages for thumb in page.thumbs] == images[::-1]
    assert {page.total for page in pages} == {25}


def test_a_filter_that_no_counter_answers_says_more_than_beyond_its_limit(engine: Engine, fill: Callable):
    images = fill(engine, images=25)
    rate(engine, "ann", dict.fromkeys(images, REJECT))
    found = gallery(engine, Filter(rater="ann"), View(1, 5), most=10)
    assert (len(found.thumbs), found.total, found.is_more) == (5, 15, True)
    assert gallery(engine, Filter(rater="ann"), View(1, 5), most=20)[1:3] == (25, False)


def test_an_undone_vote_passes_no_filter(rated: Engine):
    rate(rated, "ann", {1: Verdict.undo})
    assert (shown(rated, rater="ann"), shown(rated, until=NOON.date())) == ([4], [4])
    assert shown(rated, rater="bob") == [1]


def test_a_thumb_tells_what_the_page_shows(rated: Engine):
    [first, _] = gallery(rated, Filter()).thumbs
    assert (first.image_id, first.width, first.prompt, first.version) == (4, 64, "a red star", 1)
    assert (first.rejects, first.keeps, first.ruled, first.reasons) == (1, 0, None, ("hands",))
    curate(rated, [4], PoolAction.reject, by="root", reason="clear")
    assert gallery(rated, Filter()).thumbs[0].ruled is REJECT
    assert [len(thumb.sha256) for thumb in gallery(rated, Filter()).thumbs] == [64, 64]


def test_one_vote_must_pass_all_filters_of_votes(rated: Engine):
    day = NOON.date()
    assert shown(rated, rater="ann", since=day, until=day) == [4, 1]
    assert shown(rated, rater="ann", since=day + timedelta(days=1)) == []
    assert shown(rated, rater=" BOB ", until=day + timedelta(days=1)) == [1]
    assert shown(rated, rater="ann", reason=Reason.hands) == [4]
    assert shown(rated, rater="bob", reason=Reason.hands) == []
    assert shown(rated, reason=Reason.hands, since=day + timedelta(days=1)) == []
    assert shown(rated, rater="nobody") == []
    assert shown(rated, which=Which.disputed, accord=Accord.divided) == [2]
    assert shown(rated, which=Which.disputed, accord=Accord.unanimous) == []
    assert shown(rated, version=0, which=Which.keeps) == []
    assert shown(rated, prompt=" blue ", which=Which.keeps) == [5]
    assert shown(rated, prompt="blue") == []


def test_the_reason_of_a_replaced_vote_passes_no_filter(rated: Engine):
    rate(rated, "ann", {4: REJECT}, NOON + timedelta(hours=1))
    assert shown(rated, reason=Reason.hands) == []


def test_an_excluded_raters_votes_pass_only_under_that_name(rated: Engine):
    rate(rated, "cat", {1: REJECT}, NOON + timedelta(days=5))
    decide(rated, "cat", Decision(RaterAction.exclude, "root", "random votes"), 9)
    assert shown(rated, since=(NOON + timedelta(days=5)).date()) == []
    assert shown(rated, rater="cat") == [1]


def test_evaluation_pictures_and_unvoted_ones_are_not_in_the_gallery(rated: Engine, fill: Callable):
    [pair] = fill(rated, images=1, origin=Origin.evaluation)
    with writing(rated) as session:
        session.get_one(Image, pair).is_queued = True
    rate(rated, "ann", {pair: REJECT})
    assert shown(rated) == [4, 1]
    assert shown(rated, which=Which.disputed) == [2]


def test_votes_that_look_like_slips_are_shown_with_who_gave_them_and_the_chance(any_engine: Engine, fill: Callable):
    images = fill(any_engine, images=40)
    next_images(any_engine, "ann", Terms(1, 600), count=64, now=NOON)
    presses = [Press(f"press {image}", image, KEEP if image <= 20 else REJECT) for image in images]
    record_votes(any_engine, "ann", presses, Terms(1, 600), now=lambda: NOON)
    chances = {image: 0.1 if image < 20 else 0.9 for image in images}
    assert doubt(any_engine, 1, chances) == 1
    found = gallery(any_engine, Filter(which=Which.look_again))
    assert ([thumb.image_id for thumb in found.thumbs], found.total) == ([20], 1)
    [(image, vote)] = found.doubts.items()
    assert (image, vote.rater, vote.verdict, round(vote.chance, 3), vote.by) == (20, "ann", KEEP, 0.9, 1)
    assert not gallery(any_engine, Filter(which=Which.keeps)).doubts
    curate(any_engine, [20], PoolAction.exclude, by="root", reason="blurred")
    assert not gallery(any_engine, Filter(which=Which.look_again)).thumbs


def test_an_overruled_picture_is_shown_by_its_verdict_and_apart(rated: Engine):
    curate(rated, [1], PoolAction.keep, by="root", reason="fine")
    curate(rated, [2], PoolAction.reject, by="root", reason="two heads")
    assert (shown(rated), shown(rated, which=Which.keeps), shown(rated, which=Which.disputed)) == ([4, 2], [5, 1], [])
    assert shown(rated, which=Which.overruled) == [2, 1]
    rate(rated, "ann", {1: Verdict.undo, 2: Verdict.undo})
    rate(rated, "bob", {1: Verdict.undo, 2: Verdict.undo})
    assert shown(rated, which=Which.overruled) == [2, 1]


def test_all_that_match_are_the_pictures_that_are_shown(rated: Engine):
    assert matching(rated, Filter(), 9) == [4, 1]
    assert matching(rated, Filter(), 1) == [4]
    assert matching(rated, Filter(which=Which.keeps), 9) == [5]


def test_each_order_is_the_one_it_says(rated: Engine, publish_version: Callable):
    rate(rated, "cat", {1: REJECT, 3: REJECT})
    with writing(rated) as session:
        session.add(PictureScore(image_id=3, version=1, score=0.9, is_out_of_sample=True))
        session.add(PictureScore(image_id=4, version=1, score=0.1, is_out_of_sample=True))
    orders = {
        sort: [thumb.image_id for thumb in gallery(rated, Filter(), View(sort=sort)).thumbs] for sort in list(Sort)
    }
    assert orders == {
        Sort.newest: [4, 3, 1],
        Sort.oldest: [1, 3, 4],
        Sort.prompt: [3, 4, 1],
        Sort.votes: [1, 4, 3],
        Sort.check: [3, 4, 1],
    }
