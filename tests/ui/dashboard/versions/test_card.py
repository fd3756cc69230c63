from feedback.gate.comparison import Comparison, Decided, ShownPair
from feedback.gate.gate import Evidence
from feedback.succession import AT_ONCE
from store.tables import Action, utc_now
from tests.ui.dashboard.conftest import HOSTILE
from ui.dashboard.versions.card import axis_of, card_html, viewer_pairs
from ui.web.pictures import image_url

BETTER = Evidence(mended=20, spoilt=2, alike=30, pairs=200, both_rejected=3)
PAIR = ShownPair(HOSTILE, 2**40, new="a" * 64, old="b" * 64)


def test_a_card_says_how_much_on_what_how_surely_and_what_to_do():
    found = Comparison(3, 2, BETTER, better=(PAIR,), is_challenge=True, is_old_live=True)
    html = card_html(found, "gate")
    said = [
        "Challenger v3 beside the champion v2",
        "v3 gets 35 points fewer rejects than v2",
        "10 % instead of 44 % of 52 pairs",
        "20 better, 2 worse, 30 the same",
        "Sure: it is better.",
        "<span>The difference lies between",
        "Guards:",
        "The gate decides at its next look.",
        'data-act="promote 3"',
        "Got better",
        "Got worse",
        "No pair got worse.",
    ]
    places = [html.index(words) for words in said]
    assert places == sorted(places)
    assert html.count("<img ") == 2
    assert "<img src=x" not in html


def test_the_card_stays_after_the_decision_and_has_no_button_then():
    decided = Decided(Action.promote, utc_now(), AT_ONCE)
    html = card_html(Comparison(3, 2, BETTER, is_live=True, decided=decided), "auto")
    assert "v3 was promoted" in html
    assert AT_ONCE in html
    assert "data-act" not in html
    assert "gate" not in html


def test_nobody_who_may_not_act_is_offered_to():
    assert "data-act" not in card_html(
        Comparison(3, 2, BETTER, is_challenge=True, is_old_live=True), "gate", has_acts=False
    )


def test_the_enlarged_view_has_the_older_version_left_and_what_was_said_of_each():
    [better, worse] = viewer_pairs(Comparison(3, 2, BETTER, better=(PAIR,), worse=(PAIR,)))
    assert better["seed"] == str(2**40)  # a string, because a seed may be larger than JavaScript holds
    assert better["sides"] == [
        {"url": image_url("b" * 64), "name": "v2", "said": "rejected"},
        {"url": image_url("a" * 64), "name": "v3", "said": "kept"},
    ]
    assert [side["said"] for side in worse["sides"]] == ["kept", "rejected"]


def test_the_axis_holds_its_interval_with_no_change_in_the_middle():
    axis = axis_of(BETTER)
    assert 0 <= axis.low < axis.at < axis.high < 50
    assert axis.ticks == ("−60", "−30", "0", "+30", "+60")
    assert axis_of(Evidence(pairs=12))[:3] == (0.0, 100.0, 50.0)
