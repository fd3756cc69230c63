import re

import pytest
from sqlmodel import select

from feedback.figures.summary import version_rows
from feedback.pool.damage import set_aside
from feedback.rate.queue import next_images
from feedback.rate.terms import Terms
from feedback.rate.votes import Press, record_votes
from feedback.retrain.manifest import freeze
from feedback.versions import promote
from feedback.workers import NO_WORKER
from store.engine import reading, writing
from store.tables import Image, Manifest, Reason, Run, RunProgress, RunStatus, Verdict
from tests.ui.dashboard.conftest import HOSTILE, row, take_back, vote_on
from ui.dashboard.overview import effect_words, overview_html
from ui.web.pieces import prose


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
    assert prose(NO_WORKER) in overview_html(engine, settings)
    with hold_worker_lock(engine):
        assert prose(NO_WORKER) not in overview_html(engine, settings)


def test_the_overview_shows_a_running_retrain_and_why_one_failed(settings, engine, draw, hold_retrain_lock):
    draw(1)
    with writing(engine) as session:
        session.add(Run(status=RunStatus.failed, message=HOSTILE))
    assert re.search("The last retrain failed [^:]*: &lt;img", overview_html(engine, settings))
    with writing(engine) as session:
        session.add(Manifest(id="m", body="{}"))
        session.flush()
        run = Run(status=RunStatus.running, step=400, steps=1000, manifest_id="m")
        session.add(run)
        session.flush()
        stage = {"name": "fitting", "phase": "fit", "kind": "fit", "work": 300, "done": 120, "seconds": 40}
        session.add(RunProgress(run_id=run.id, stages=[stage], curve=[], strengths=[]))
    with hold_retrain_lock(engine):
        page = overview_html(engine, settings)
    assert "<b>1 min</b> left of a retrain" in page
    assert "40 % done; fitting" in page
    assert "<b>About a minute left</b><span>now fitting</span>" in page
    page = overview_html(engine, settings)
    assert '<small class="warn">the last retrain was interrupted' in page
    assert re.search("The last retrain was interrupted [^:]*: its process ended without a word; the next", page)
    assert "A worker goes on with it when it starts" in page
    assert page.index("What happened") < page.index("A retrain was interrupted") < page.index("A retrain failed")


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


def test_a_version_has_one_colour_in_every_figure_and_its_most_frequent_reason_is_named(
    settings, engine, draw, publish_version
):
    draw(3)
    publish_version(engine, 1)
    promote(engine, 1)
    with writing(engine) as session:
        for image in session.exec(select(Image)):
            image.version, image.is_queued = 1, True
    [image] = next_images(engine, "ada", Terms(1, 600), count=1)
    press = Press("one", image.image_id, Verdict.reject, reasons=frozenset({Reason.hands}))
    assert not record_votes(engine, "ada", [press], Terms(1, 600))[0].refused
    page = overview_html(engine, settings)
    assert "Most often hands: 100 % of v1’s pictures" in page
    assert "Rejects in the newest votes only: v1 100 % of 1 vote." in page
    for title in ("Does it help?", "What is most often wrong?", "Rejects over the votes"):
        assert "ns-v1" in page[page.index(title) :].split("</section>")[0]


def test_a_version_with_judged_pairs_only_shows_their_share_and_that_it_is_not_counted(settings, compared):
    page = overview_html(compared, settings)
    row = page[page.index("</i>v2<") :].split("</tr>")[0]
    assert '<b>100 %</b><small class="ns-wraps">of 12 compared pictures</small>' in row
    assert "<small>not judged yet" not in row
    assert "Compared pictures are not counted here." in page


def test_the_pool_says_why_a_version_learnt_from_more_rejects_than_it_holds(settings, engine, draw, publish_version):
    draw(4)
    vote_on(engine, 3, Verdict.reject)
    publish_version(engine, 1, manifest_id=freeze(engine, "0" * 64).id)
    assert "some taken back" not in overview_html(engine, settings)
    take_back(engine)
    page = overview_html(engine, settings)
    assert "1 keep; v1 learnt from 3, some taken back or disputed since" in page
    [row] = [row for row in version_rows(engine) if row.number == 1]
    assert (row.trained_on, row.trained_gone) == (3, 0)


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
    assert "The files of 7 pictures are lost or altered (number 1, 2, 3, 4, 5, …)" in overview_html(engine, settings)
