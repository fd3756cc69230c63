from collections.abc import Callable

import pytest
from sqlalchemy import Engine
from sqlmodel import select

from feedback.rate.guidelines import MAX_CHARACTERS, current_guidelines, list_guidelines, write_guidelines
from feedback.rate.queue import next_images
from feedback.rate.terms import Terms
from feedback.rate.votes import Press, record_votes
from store.engine import reading
from store.errors import BadRequest
from store.tables import Verdict, Vote


def test_every_version_stays_and_the_newest_counts(any_engine: Engine) -> None:
    assert current_guidelines(any_engine) is None
    first = write_guidelines(any_engine, "Count the fingers.\r\n", "ada")
    second = write_guidelines(any_engine, "Count the fingers.\n\n- twice", "bob")
    assert second > first
    assert [(one.id, one.text, one.by) for one in list_guidelines(any_engine)] == [
        (second, "Count the fingers.\n\n- twice", "bob"),
        (first, "Count the fingers.", "ada"),
    ]
    write_guidelines(any_engine, " ", "ada")
    assert current_guidelines(any_engine) is None


@pytest.mark.parametrize("text", ["Count.", " Count.\n", "x" * (MAX_CHARACTERS + 1), "a\x00b"])
def test_what_is_said_already_or_cannot_be_shown_is_refused(text: str, engine: Engine) -> None:
    write_guidelines(engine, "Count.", "ada")
    with pytest.raises(BadRequest):
        write_guidelines(engine, text, "ada")
    assert len(list_guidelines(engine)) == 1


def test_a_vote_knows_the_version_that_its_rater_was_shown(any_engine: Engine, fill: Callable) -> None:
    fill(any_engine)
    first, second, *_ = next_images(any_engine, "ann", Terms(1, 600), count=6)
    number = write_guidelines(any_engine, "Count.", "ada")
    presses = [Press("a", first.image_id, Verdict.keep, guidelines=number), Press("b", second.image_id, Verdict.keep)]
    record_votes(any_engine, "ann", presses, Terms(1, 600))
    with reading(any_engine) as session:
        assert list(session.exec(select(Vote.guidelines).order_by(Vote.id))) == [number, None]
