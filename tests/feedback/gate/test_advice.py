import pytest

from feedback.gate.advice import (
    Advice,
    advise,
    deciding_words,
    guards_words,
    headline,
    interval_words,
    more_words,
    rule_in_force,
    sureness_words,
)
from feedback.gate.comparison import Comparison, Decided
from feedback.gate.gate import Evidence, Step, decide_after, pairs_to_go
from feedback.gate.guardrails import Guardrail
from feedback.statistics import Interval
from feedback.succession import AT_ONCE
from store.tables import Action, utc_now

BETTER = Evidence(mended=20, spoilt=2, alike=30, pairs=200)
WORSE = Evidence(mended=2, spoilt=20, alike=30, pairs=200)
OPEN = Evidence(mended=6, spoilt=2, alike=20, pairs=200)
USED_UP = Evidence(mended=1, spoilt=1, alike=10, pairs=12)
BROKEN = (Guardrail("contrast", Interval(0.3, 0.4), True, "contrast moved by +30% to +40%"),)
CHALLENGE = {"is_challenge": True, "is_old_live": True}
ASIDE = Decided(Action.refuse, utc_now(), "worse")
BY_ITSELF = Decided(Action.promote, utc_now(), AT_ONCE)


@pytest.mark.parametrize(
    ("evidence", "facts", "advice"),
    [
        (BETTER, CHALLENGE, Advice.promote),
        (BETTER, CHALLENGE | {"guards": BROKEN}, Advice.set_aside),
        (WORSE, CHALLENGE, Advice.set_aside),
        (USED_UP, CHALLENGE, Advice.set_aside),
        (OPEN, CHALLENGE, Advice.rate),
        (BETTER, {"is_live": True}, Advice.nothing),
        (USED_UP, {"is_live": True}, Advice.nothing),
        (OPEN, {"is_live": True}, Advice.rate),
        (OPEN, {"is_live": True, "is_rated": False}, Advice.nothing),
        (WORSE, {"is_live": True}, Advice.roll_back),
        (WORSE, {"decided": ASIDE}, Advice.nothing),
        (BETTER, {"decided": ASIDE, "is_old_live": True}, Advice.promote),
        (BETTER, {"decided": ASIDE}, Advice.nothing),
        (BETTER, {"decided": Decided(Action.withdraw, utc_now(), "six fingers")}, Advice.nothing),
    ],
)
def test_the_evidence_recommends_one_action(evidence, facts, advice):
    assert advise(Comparison(3, 2, evidence, **facts)) is advice


def test_a_version_that_its_retrain_promoted_goes_back_only_when_its_pairs_are_worse():
    assert [decide_after(one).step for one in (WORSE, OPEN, USED_UP, BETTER, Evidence(pairs=12))] == [
        Step.roll_back,
        *[Step.wait] * 4,
    ]
    assert decide_after(WORSE).sentence == "worse: of 52 pairs, 2 got better, 20 worse, 30 the same"


def test_the_rule_in_force_is_said_and_no_other():
    challenge = Comparison(3, 2, OPEN, is_challenge=True)
    assert deciding_words(challenge, "gate").startswith(
        "The gate decides as soon as the votes are clear. About 72 more"
    )
    assert deciding_words(challenge, "manual").startswith("You decide")
    live = Comparison(3, 2, OPEN, is_live=True, decided=BY_ITSELF)
    assert deciding_words(live, "auto").startswith("If its pairs say that it is worse, v2 comes back by itself.")
    assert "by itself" not in deciding_words(live, "gate")
    assert all("gate promotes" not in rule_in_force(mode, 200) for mode in ("manual", "auto"))


def test_the_gate_names_the_end_that_comes_first():
    assert "After all 200 pairs of the evaluation set without that" in rule_in_force("gate", 200)
    assert "After 1,000 pairs without that" in rule_in_force("gate", 5000)


def test_it_is_said_who_is_champion_while_nobody_does_anything():
    def said(evidence: Evidence, mode: str, **facts) -> str:
        return deciding_words(Comparison(3, 2, evidence, **facts), mode)

    assert said(OPEN, "gate", **CHALLENGE).endswith("would decide. Until then v2 stays the champion.")
    assert said(OPEN, "gate", is_live=True).endswith("Until then v3 stays the champion.")
    assert said(BETTER, "manual", **CHALLENGE).endswith("Until somebody decides, v2 stays the champion.")
    assert "stays the champion" not in said(BETTER, "gate", **CHALLENGE)
    assert said(WORSE, "gate", is_live=True) == "Until somebody decides, v3 stays the champion."


def test_pairs_that_nobody_is_shown_are_not_asked_for():
    found = Comparison(3, 2, Evidence(pairs=200), is_live=True, is_rated=False)
    assert deciding_words(found, "gate") == "These pairs are not shown to raters while a challenger is compared."


def test_a_promotion_without_a_comparison_is_called_that():
    found = Comparison(3, 2, Evidence(pairs=200), is_live=True, decided=BY_ITSELF)
    assert headline(found) == "v3 was promoted without a comparison with v2"


def test_a_card_without_judged_pairs_says_so():
    found = Comparison(1, 0, Evidence(pairs=12), is_live=True)
    assert headline(found) == "v1 beside v0: no pair is judged yet"
    assert deciding_words(found, "manual") == ("Up to 12 pairs left to rate. Until then v1 stays the champion.")
    assert interval_words(found.evidence).startswith("between 100 points fewer and 100 points more")


def test_guards_stand_in_one_line():
    assert guards_words(Comparison(3, 2, OPEN, guards=BROKEN)) == "Guards: contrast moved by +30% to +40%"
    fine = Guardrail("diversity", Interval(0, 0.1), False, "fine")
    assert guards_words(Comparison(3, 2, OPEN, guards=(fine, fine))) == "Guards: diversity, diversity are all fine"


def test_what_may_be_chance_is_said_to_be_so_far():
    assert headline(Comparison(3, 2, OPEN)) == "So far v3 gets 14 points fewer rejects than v2"
    assert headline(Comparison(3, 2, USED_UP)) == "v3 gets as many rejects as v2"


def test_how_sure_a_difference_is_is_said_in_a_sentence():
    assert [sureness_words(one) for one in (BETTER, WORSE, OPEN, USED_UP)] == [
        "Sure: it is better. Chance would do that less than once in 20 times.",
        "Sure: it is worse. Chance would do that less than once in 20 times.",
        "Not sure yet: it may be chance.",
        "No difference found: 12 pairs can show only larger ones.",
    ]


def test_how_many_more_pairs_would_decide_is_said_while_that_is_open():
    found = Evidence(12, 5, 40, pairs=200)
    more = pairs_to_go(found)
    assert more_words(found) == f"About {more} more pairs at this rate would decide."
    assert more_words(Evidence(12, 5, 40, pairs=56 + more)) == (
        f"{more} more pairs at this rate would decide, and {more - 1} are left to rate."
    )
    few = next(n for n in range(1, 100) if pairs_to_go(Evidence(mended=n, pairs=200)) == 1)
    assert more_words(Evidence(mended=few, pairs=200)) == "About 1 more pair at this rate would decide."
    assert (
        more_words(Evidence(5, 5, 10, pairs=200)) == "As many got better as worse so far; up to 180 pairs left to rate."
    )
    assert more_words(Evidence(7, 5, 27, pairs=200)) == "The difference is small; up to 161 pairs left to rate."
    assert more_words(Evidence(pairs=200)) == "Up to 200 pairs left to rate."
    assert [more_words(one) for one in (BETTER, WORSE, USED_UP)] == ["", "", ""]
