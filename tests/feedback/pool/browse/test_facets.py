"""The counts on the filters are what the gallery shows when the choice is made."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import Engine

from feedback.people.decisions import Decision, decide
from feedback.pool.browse.facets import facets
from feedback.pool.browse.gallery import Accord, Filter, Which, gallery
from feedback.pool.curation import curate
from store.engine import writing
from store.tables import PoolAction, RaterAction, Reason, VoteReason
from tests.feedback.pool.browse.test_gallery import KEEP, NOON, REJECT, rate


@pytest.fixture
def rated(any_engine: Engine, fill: Callable, publish_version: Callable) -> Engine:
    """Twelve pictures of two versions with votes, reasons, a curator's verdict, one taken out; cat is excluded."""
    publish_version(any_engine, 1)
    images = fill(any_engine, images=6) + fill(any_engine, images=6, version=1)
    rate(any_engine, "ann", {image: REJECT if image % 3 else KEEP for image in images})
    rate(any_engine, "bob", {image: REJECT if image % 4 else KEEP for image in images[:9]}, NOON + timedelta(days=1))
    with writing(any_engine) as session:
        session.add_all(VoteReason(vote_id=n, reason=Reason.hands if n % 2 else Reason.text) for n in (1, 2, 4, 13, 14))
    rate(any_engine, "cat", dict.fromkeys(images, REJECT))
    decide(any_engine, "cat", Decision(RaterAction.exclude, "root", "careless"), 9)
    curate(any_engine, images[:1], PoolAction.keep, by="root", reason="fine")
    curate(any_engine, images[1:2], PoolAction.exclude, by="root", reason="blurred")
    return any_engine


NARROWED = (
    Filter(),
    Filter(which=Which.keeps),
    Filter(which=Which.disputed, rater="bob"),
    Filter(version=1),
    Filter(reason=Reason.hands),
    Filter(reason=Reason.text, rater="ann", version=0),
    Filter(accord=Accord.unanimous, prompt="red"),
    Filter(rater="bob", since=(NOON + timedelta(days=1)).date()),
    Filter(rater="cat"),
    Filter(prompt="no such words"),
)


@pytest.mark.parametrize("wanted", NARROWED, ids=str)
def test_a_count_is_what_the_gallery_shows_when_the_choice_is_made(rated: Engine, wanted: Filter):
    found = facets(rated, wanted)
    assert found is not None
    choices = {
        "which": Which,
        "version": (0, 1),
        "reason": Reason,
        "rater": ("ann", "bob"),
        "accord": (Accord.unanimous, Accord.divided),
    }
    for name, values in choices.items():
        totals = {value: gallery(rated, wanted._replace(**{name: value})).total for value in values}
        assert getattr(found, name) == {value: n for value, n in totals.items() if n}, name
