import re

from sqlmodel import col, select

from feedback.figures.reasons import Named, count_reasons
from store.engine import writing
from store.tables import Image, Reason, Verdict, Vote, VoteReason
from ui.dashboard.reasons import beside_html, brief_html, by_version_html, finding, pair_html


def named(version: int, judged: int, *reasons: int, rejected: int = 0) -> Named:
    """A version whose pictures have these reasons, in the order of `Reason`."""
    counts = (*reasons, *[0] * (len(Reason) - len(reasons)))
    return Named(version, judged, rejected or sum(counts), sum(counts), counts)


def test_the_most_frequent_reason_is_named_and_what_is_beyond_chance_is_marked():
    counts = {3: named(3, 200, 4, 30), 2: named(2, 200, 10, 32), 0: named(0, 200, 60, 20)}
    page = brief_html(counts, 3, (2, 0))
    assert "Most often anatomy: 15 % of v3’s pictures, between 11 % and 21 %." in page
    assert page.index(">anatomy<") < page.index(">hands<")
    hands = page[page.index(">hands<") :]
    assert "<b>5 → 2 %</b></td>" in hands
    assert '<b>30 → 2 %</b><small class="fewer">likely fewer</small>' in hands
    assert "Since the base likely fewer: hands 30 → 2 %. Since v2 no change is beyond chance yet." in page
    assert "“Likely”: beyond chance" in page
    assert page.count("may be chance") == 1
    assert "A reason is named for 34 of v3’s 34 rejects." in page


def test_without_a_reason_the_page_says_how_one_comes():
    page = brief_html({1: named(1, 40, rejected=9), 0: named(0, 40)}, 1, (0,))
    assert "No reason is named for v1’s rejects yet." in page
    assert "Raters name a reason right after a reject" in page
    assert finding(named(1, 0)) == "None of v1’s pictures is judged yet."
    assert finding(named(1, 9)) == "None of v1’s pictures is a reject."


def test_before_the_first_picture_of_a_champion_is_judged_the_version_before_it_answers():
    page = brief_html({2: named(2, 0), 1: named(1, 50, 10), 0: named(0, 50, 9)}, 2, (1, 0))
    assert "Most often hands: 20 % of v1’s pictures" in page
    assert "None of v2’s pictures is judged yet. Since the base no change is beyond chance yet." in page
    assert "Likely" not in page
    assert "since v1" not in page


def test_a_reason_that_only_an_earlier_version_has_is_shown_with_its_fall():
    page = brief_html({1: named(1, 200, 0, 9), 0: named(0, 200, 40)}, 1, (0,))
    assert "20 → 0 %" in page


def test_shares_that_do_not_compare_are_not_left_to_stand():
    counts = {1: named(1, 400, 10, rejected=80), 0: named(0, 400, 80)}
    assert "did not name reasons equally often for v1 and v0" in brief_html(counts, 1, (0,))


def test_two_versions_stand_side_by_side_with_the_interval_of_each_change():
    page = pair_html(named(3, 200, 4, 30), named(0, 200, 60, 20))
    hands = page[page.index("hands</th>") :]
    assert "30 %" in hands
    assert "−36 to −20" in hands
    assert "likely fewer" in hands
    assert page.count("may be chance") == 1


def test_reasons_stand_by_their_share_then_by_their_change_and_tiny_ones_are_left_out():
    counts = {1: named(1, 60, 0, 5, 0, 0, 0), 0: named(0, 400, 4, 40, 8, 40, 3)}
    page = brief_html(counts, 1, (0,))
    shown = re.findall(r'<th scope="row">([^<]+)', page)
    assert shown == [list(Reason)[place].value for place in (1, 3, 2)]


def test_a_version_without_judged_sampled_pictures_shows_the_reasons_of_its_compared_ones(compared):
    unjudged, live = (count_reasons(compared, [number])[number] for number in (2, 1))
    page = beside_html(compared, unjudged, live)
    assert "v2 has no judged sampled pictures yet" in page
    assert "<table" not in page
    with writing(compared) as session:
        rejects = session.exec(
            select(Vote.id)
            .join(Image, col(Image.id) == Vote.image_id)
            .where(Image.version == 2, Vote.verdict == Verdict.reject)
        ).all()
        session.add_all(VoteReason(vote_id=vote_id, reason=Reason.hands) for vote_id in rejects[:3])
    page = beside_html(compared, unjudged, live)
    assert "Reasons on the compared pictures of v2 and v1" in page
    assert "<b>25 %</b><small>3 of 12</small>" in page


def test_every_version_has_a_column_in_the_order_in_which_they_came():
    page = by_version_html([named(0, 200, 60), named(2, 100, 5)], champion=2)
    assert page.index("v0") < page.index("v2")
    assert "30 %" in page
    assert "5 %" in page
