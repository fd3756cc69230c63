"""What the page Pool is told."""

from datetime import date

from feedback.people.decisions import Decision, decide
from feedback.pool.browse.facets import MOST
from feedback.pool.browse.gallery import Accord, Filter, Sort, View, Which
from feedback.pool.browse.opened import Scored, open_image
from feedback.pool.curation import curate, decisions
from store.engine import writing
from store.tables import Origin, PictureTry, PoolAction, RaterAction, Reason, Verdict, VersionTally
from tests.feedback.doubts import doubt
from tests.ui.dashboard.conftest import HOSTILE, vote_on
from ui.dashboard.pool.answers import (
    check_words,
    choices_answer,
    decision_answer,
    notes_of,
    opened_answer,
    page_answer,
    read_filter,
    read_view,
    rings,
)


def test_an_opened_picture_tells_votes_reason_and_marks_within_the_frame(rated):
    opened = open_image(rated, 1)
    told = opened_answer(opened)
    facts = dict(told["facts"])
    assert (facts["votes"], facts["version"], facts["seed"]) == ("2 rejects, 1 keep", "v0", "0")
    assert (facts["trained"], facts["pool"], told["verdict"]) == ("no version yet", "in the pool", "reject")
    assert [vote["notes"] for vote in told["votes"]] == [[], [], ["hands", "1 mark"]]
    assert [(ring.x, ring.y) for ring in rings(opened.votes)] == [(0.25, 1.0)]
    assert told["marks"] == [{"x": 0.25, "y": 1.0, "rater": HOSTILE}]
    decide(rated, "eve", Decision(RaterAction.exclude, "root", "x"))
    told = opened_answer(open_image(rated, 1))
    assert (told["votes"][0]["notes"], told["votes"][0]["is_past"]) == (["not counted: rater excluded"], True)
    assert told["verdict"] == "disputed"


def test_a_reason_that_is_added_later_is_not_told_as_a_changed_verdict(rated):
    [*_, first] = open_image(rated, 1).votes
    earlier = first._replace(is_current=False)
    assert notes_of(earlier, first) == ["hands", "1 mark", "said more later"]
    assert notes_of(earlier, first._replace(verdict=Verdict.keep)) == ["hands", "1 mark", "changed later"]


def test_an_overruled_picture_tells_the_curators_verdict_beside_the_votes(rated):
    curate(rated, [1], PoolAction.keep, by="cora", reason="three heads are fine")
    told = opened_answer(open_image(rated, 1))
    assert (told["verdict"], told["ruled"], dict(told["facts"])["votes"]) == ("keep", "keep", "2 rejects, 1 keep")
    [event] = told["events"]
    assert (event["words"], event["by"], event["reason"]) == ("Overruled: keep", "cora", "three heads are fine")
    [line] = [decision_answer(one) for one in decisions(rated)]
    assert (line["words"], line["by"]) == ("1 picture overruled: keep", "cora")
    [thumb] = page_answer(rated, Filter(which=Which.overruled), View())["thumbs"]
    assert (thumb["id"], thumb["ruled"], thumb["votes"]) == (1, "keep", "2 rejects, 1 keep")


def test_a_page_tells_prompt_reasons_and_votes_of_each_picture(rated):
    told = page_answer(rated, Filter(), View())
    assert [thumb["id"] for thumb in told["thumbs"]] == [3, 2, 1]
    assert [thumb["reasons"] for thumb in told["thumbs"]] == [(), (), ("hands",)]
    assert told["thumbs"][2]["prompt"] == HOSTILE
    assert (told["total"], told["is_more"], told["pages"]) == (3, False, 1)


def test_a_page_beyond_the_last_is_the_first(rated):
    told = page_answer(rated, Filter(), View(page=7, size=2))
    assert (told["page"], len(told["thumbs"]), told["pages"]) == (0, 2, 2)


def test_a_vote_that_looks_like_a_slip_is_told_in_peoples_words(engine, draw):
    draw(40)
    vote_on(engine, 20, Verdict.keep)
    vote_on(engine, 20, Verdict.reject)
    shown = {thumb["id"] for thumb in page_answer(engine, Filter(which=Which.keeps), View())["thumbs"]}
    slip = max(shown)
    assert doubt(engine, 1, {n: 0.9 if n == slip or n not in shown else 0.1 for n in range(1, 41)}) == 1
    [thumb] = page_answer(engine, Filter(which=Which.look_again), View())["thumbs"]
    assert (thumb["id"], thumb["doubt"]) == (slip, "kept by ada; reject: 90 %")


def test_an_address_is_read_and_what_cannot_be_read_is_as_usual():
    said = {"which": "taken out", "prompt": "red", "reason": "hands", "version": "2", "rater": "ann", "page": "3"}
    said |= {"accord": "all agree", "since": "2026-06-01", "until": "2026-06-02", "sort": "check"}
    assert read_filter(said) == Filter(
        Which.taken_out, "red", Reason.hands, 2, "ann", Accord.unanimous, date(2026, 6, 1), date(2026, 6, 2)
    )
    assert read_view(said) == View(3, sort=Sort.check)
    wrong = {"which": "x", "reason": "x", "version": "-1", "accord": "x", "since": "x", "page": "1e9", "sort": "x"}
    assert (read_filter(wrong), read_view(wrong)) == (Filter(), View())


def test_every_choice_is_told_without_a_count_where_there_are_too_many_pictures(rated):
    counted = choices_answer(rated, Filter())
    assert (counted["which"], counted["rater"]) == ([["rejects", 3]], [[HOSTILE, 3], ["ada", 3], ["eve", 3]])
    assert (counted["reason"], counted["version"]) == ([["hands", 1]], [["0", 3]])
    assert counted["accord"] == [["not all agree", 3]]
    with writing(rated) as session:
        session.get_one(VersionTally, (0, Origin.sampled)).rejected = MOST + 1
    told = choices_answer(rated, Filter())
    assert [name for name, _ in told["which"]] == list(Which)
    assert {count for choices in told.values() for _, count in choices} == {None}


def test_an_opened_picture_tells_what_the_check_says_of_it_and_its_tries(rated):
    opened = open_image(rated, 1)
    assert check_words(opened) == []
    tries = [PictureTry(image_id=1, number=n, score=0.5 / n, is_kept=n == 2) for n in (1, 2)]
    assert check_words(opened._replace(scored=Scored(3, -0.25, 0.34, 5, 6), tries=tries)) == [
        "v3's check expects a reject with a chance of 34 %",
        "score −0.250: worse than 5 of 6 other pictures of v0",
        "try 2 of 2 was kept (scores 0.500, 0.250)",
    ]
    assert check_words(opened._replace(scored=Scored(3, 0.25, None, 6, 6))) == [
        "score 0.250: worse than all 6 other pictures of v0"
    ]
    assert check_words(opened._replace(scored=Scored(3, 0.25, None, 0, 0), tries=tries[:1])) == ["score 0.250"]
