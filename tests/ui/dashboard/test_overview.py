import pytest
from sqlmodel import select

from feedback.pool.damage import set_aside
from feedback.sample.requests import NO_WORKER
from feedback.versions import promote
from store.engine import reading, writing
from store.tables import Action, AliasEvent, AliasName, Image, Run, RunStatus, Verdict
from tests.ui.dashboard.conftest import HOSTILE, row, vote_on
from ui.dashboard.overview import effect_words, event_words, overview_html


def test_the_overview_states_its_data_and_the_way_to_the_next_retrain(settings, engine, draw):
    draw(10)
    vote_on(engine, 3, Verdict.reject)
    vote_on(engine, 2, Verdict.keep)
    page = overview_html(engine, settings)
    assert "5 votes by 1 rater (the latest of each rater on each picture)" in page
    assert "5 of 10 pictures judged" in page
    assert "3 of 40 new rejects" in page
    assert "<b>37</b> rejects to go" in page
    assert "<b>5</b> waiting to be rated" in page


def test_the_overview_says_when_no_worker_runs(settings, engine, draw, hold_worker_lock):
    draw(1)
    assert NO_WORKER in overview_html(engine, settings)
    with hold_worker_lock(engine):
        assert NO_WORKER not in overview_html(engine, settings)


def test_the_overview_shows_a_running_retrain_and_why_one_failed(settings, engine, draw, hold_retrain_lock):
    draw(1)
    with writing(engine) as session:
        session.add(Run(status=RunStatus.failed, message=HOSTILE))
    assert "the last retrain failed: &lt;img" in overview_html(engine, settings)
    with writing(engine) as session:
        session.add(Run(status=RunStatus.running, step=120, steps=300))
    with hold_retrain_lock(engine):
        page = overview_html(engine, settings)
    assert "<b>40 %</b> of a retrain" in page
    assert "step 120 of 300" in page
    assert "the last retrain was interrupted: its process ended without a word" in overview_html(engine, settings)


@pytest.mark.parametrize(
    ("live", "base", "words"),
    [
        (row(1, 10, 100), row(0, 40, 100), "Yes"),
        (row(1, 40, 100), row(0, 10, 100), "No"),
        (row(1, 10, 40), row(0, 12, 40), "Not known yet"),
        (row(1, 0, 0), row(0, 12, 40), "Not known yet"),
        (row(0, 10, 40), row(0, 10, 40), "The plain base is live"),
        (None, None, "The first pictures"),
    ],
)
def test_the_effect_is_said_in_words_and_claims_no_more_than_the_intervals(live, base, words):
    assert effect_words(live, base).startswith(words)


def test_reasons_are_escaped(settings, engine, draw, publish_version):
    draw(1)
    publish_version(engine, 1)
    promote(engine, 1, HOSTILE)
    page = overview_html(engine, settings)
    assert "<img src=x" not in page
    assert "&lt;img src=x" in page


def test_every_event_has_words(engine):
    for action in Action:
        assert event_words(AliasEvent(action=action, alias=AliasName.champion, from_version=1, to_version=2))


def test_one_reject_to_go_is_said_in_the_singular(settings, engine, draw):
    draw(2)
    vote_on(engine, 1, Verdict.reject)
    page = overview_html(engine, settings.model_copy(update={"retrain_after": 2}))
    assert "<b>1</b> reject to go" in page
    assert "1 vote by 1 rater" in page
    assert "1 of 2 pictures judged" in page


def test_pictures_with_bad_files_are_named(settings, engine, draw):
    draw(8)
    assert "lost or altered" not in overview_html(engine, settings)
    with reading(engine) as session:
        hashes = list(session.exec(select(Image.sha256).order_by(Image.id)))
    for sha256 in hashes[:7]:
        set_aside(engine, sha256)
    assert "the files of 7 pictures are lost or altered (number 1, 2, 3, 4, 5, …)" in overview_html(engine, settings)
