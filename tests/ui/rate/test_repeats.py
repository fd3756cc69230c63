"""Repeats in a session of the rating page."""

import pytest
from sqlmodel import func, select

from feedback.rate.repeats import repeat_answers
from store.engine import reading
from store.tables import Vote
from tests.ui.rate.test_rating_page import all_sent, begin_rating, press

pytestmark = pytest.mark.browser


def test_repeats_are_shown_within_one_session(settings, engine, draw, serve, page, monkeypatch):
    draw(120)
    monkeypatch.setenv("NAYSAYER_REPEAT_SHARE", "0.5")
    with serve(settings) as served:
        begin_rating(page, served, "ada")
        for _ in range(110):
            press(page, "j")
        all_sent(page)
    with reading(engine) as session:
        votes = session.exec(select(func.count(Vote.id))).one()
        assert len(repeat_answers(session)) >= 5
    assert votes == 110
