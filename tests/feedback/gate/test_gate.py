from math import log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback.gate.gate import (
    CAP,
    ENOUGH,
    Conclusion,
    Evidence,
    Step,
    decide,
    evidence_words,
    pairs_to_go,
)
from feedback.gate.guardrails import Guardrail
from feedback.statistics import ALPHA, MIXTURE, Interval, confidence_sequence, log_e_value, mean_interval, wilson

BROKEN = Guardrail("diversity", Interval(-0.4, -0.2), True, "diversity moved by -40% to -20%")
FINE = Guardrail("contrast", Interval(-0.1, 0.1), False, "contrast moved by -10% to +10%")
BETTER = Evidence(mended=20, spoilt=3, alike=40, pairs=200)
WORSE = Evidence(mended=3, spoilt=20, alike=40, pairs=200)


def expectation_of_one_more(mended: int, spoilt: int, chance: float) -> float:
    """Mean of the e-value after the next discordant pair, relative to now."""
    now = log_e_value(mended, spoilt)
    up, down = log_e_value(mended + 1, spoilt) - now, log_e_value(mended, spoilt + 1) - now
    return chance * 2.718281828459045**up + (1 - chance) * 2.718281828459045**down


@given(mended=st.integers(0, 200), spoilt=st.integers(0, 200), chance=st.floats(0, 0.5))
def test_where_the_challenger_is_no_better_the_evidence_is_not_expected_to_grow(mended, spoilt, chance) -> None:
    assert expectation_of_one_more(mended, spoilt, chance) <= 1 + 1e-9


def test_the_mixture_weighs_one_and_looks_at_one_side() -> None:
    assert sum(weight for _, weight in MIXTURE) == pytest.approx(1)
    assert all(0.5 < chance < 1 for chance, _ in MIXTURE)


def test_the_false_alarms_of_a_watched_gate_are_bounded_exactly() -> None:
    """The chance, computed over every path and not sampled, that E reaches 20 in 300 fair discordant pairs."""
    alive, crossed = {0: 1.0}, 0.0
    for n in range(1, 301):
        following: dict[int, float] = {}
        for mended, mass in alive.items():
            for more in (0, 1):
                now = mended + more
                if log_e_value(now, n - now) >= ENOUGH:
                    crossed += mass / 2
                else:
                    following[now] = following.get(now, 0.0) + mass / 2
        alive = following
    assert 0.03 < crossed <= ALPHA


@given(mended=st.integers(0, 500), spoilt=st.integers(0, 500))
def test_a_mended_pair_raises_the_evidence_and_a_spoilt_one_lowers_it(mended: int, spoilt: int) -> None:
    assert log_e_value(mended + 1, spoilt) > log_e_value(mended, spoilt) > log_e_value(mended, spoilt + 1)


@given(n=st.integers(1, 2000), share=st.floats(0, 1))
def test_the_sequence_holds_the_observed_share_and_is_wider_than_wilson(n: int, share: float) -> None:
    successes = round(share * n)
    low, high = confidence_sequence(successes, n)
    assert low <= successes / n <= high
    wide, narrow = high - low, wilson(successes, n)
    assert wide >= (narrow.high - narrow.low) * 0.9 or n < 5


def test_a_sequence_that_is_watched_rarely_excludes_the_truth() -> None:
    import random

    missed = 0
    for seed in range(200):
        chance, hits = random.Random(seed), 0
        for n in range(1, 401):
            hits += chance.random() < 0.4
            if n % 5 == 0 and not confidence_sequence(hits, n).low <= 0.4 <= confidence_sequence(hits, n).high:
                missed += 1
                break
    assert missed / 200 <= 0.06


def test_nothing_paired_says_nothing() -> None:
    assert mean_interval([0.1]) == (-float("inf"), float("inf"))
    assert Evidence(pairs=200).conclusion is Conclusion.not_yet_known
    assert Evidence(pairs=200).difference is None


@pytest.mark.parametrize(
    ("evidence", "step"),
    [
        (BETTER, Step.promote),
        (WORSE, Step.refuse),
        (Evidence(4, 3, 20, pairs=200), Step.wait),
        (Evidence(20, 18, 162, pairs=200), Step.no_difference),
        (Evidence(20, 18, 160, pairs=200, closed=2), Step.no_difference),
        (Evidence(150, 150, 700, pairs=5000), Step.no_difference),
        (Evidence(0, 0, 0, pairs=0), Step.wait),
    ],
)
def test_the_rule_decides(evidence: Evidence, step: Step) -> None:
    assert decide(evidence, [FINE]).step is step


def test_a_broken_guardrail_or_a_failed_check_refuses_what_the_votes_like() -> None:
    for decision in (decide(BETTER, [FINE, BROKEN]), decide(BETTER, [FINE], ["a file is missing"])):
        assert decision.step is Step.refuse
        assert decision.sentence.startswith("better")
    assert "diversity moved" in decide(BETTER, [BROKEN]).sentence
    assert "a file is missing" in decide(BETTER, [], ["a file is missing"]).sentence


def test_a_broken_guardrail_decides_nothing_while_the_votes_do_not() -> None:
    assert decide(Evidence(4, 3, 20, pairs=200), [BROKEN]).step is Step.wait


@given(mended=st.integers(0, 60), spoilt=st.integers(0, 60), alike=st.integers(0, 100))
def test_the_pairs_that_are_said_to_decide_would(mended: int, spoilt: int, alike: int) -> None:
    evidence = Evidence(mended, spoilt, alike, pairs=200)
    more = pairs_to_go(evidence)
    if more is None:
        assert mended == spoilt or max(evidence.log_e, evidence.log_e_against) < ENOUGH
        return
    grown = 1 + more / evidence.judged
    assert log_e_value(max(mended, spoilt) * grown, min(mended, spoilt) * grown) >= ENOUGH
    assert 0 <= more <= CAP


def test_the_evidence_is_said_in_words() -> None:
    assert evidence_words(BETTER) == "better: of 63 pairs, 20 got better, 3 worse, 40 the same"
    assert log(20) == pytest.approx(ENOUGH)


def test_the_difference_is_the_challengers_rate_less_the_champions() -> None:
    assert Evidence(mended=12, spoilt=3, alike=45).difference == pytest.approx(-0.15)
    assert Evidence(mended=12, spoilt=3, alike=45).judged == 60


@pytest.mark.parametrize(
    ("evidence", "is_used_up"),
    [
        (Evidence(1, 1, 7, pairs=10), False),
        (Evidence(1, 1, 8, pairs=10), True),
        (Evidence(1, 1, 5, pairs=10, closed=3), True),
        (Evidence(1, 1, 5, pairs=10, closed=2), False),
        (Evidence(0, 0, CAP, pairs=5000), True),
        (Evidence(0, 0, CAP - 1, pairs=5000), False),
        (Evidence(0, 0, 5, pairs=0), False),
    ],
)
def test_a_set_is_used_up_at_its_end_or_at_the_cap(evidence: Evidence, is_used_up: bool) -> None:
    assert evidence.is_used_up is is_used_up


def test_evidence_that_is_just_enough_is_enough() -> None:
    mended = next(n for n in range(100) if log_e_value(n, 0) >= ENOUGH)
    assert Evidence(mended=mended, pairs=200).conclusion is Conclusion.better
    assert Evidence(mended=mended - 1, pairs=200).conclusion is Conclusion.not_yet_known
    assert Evidence(spoilt=mended, pairs=200).conclusion is Conclusion.worse
    assert pairs_to_go(Evidence(mended=mended - 1, pairs=200)) == 1
    assert pairs_to_go(Evidence(mended=mended, pairs=200)) == 0
    assert pairs_to_go(Evidence(pairs=200)) is None


def test_a_refusal_names_all_that_is_wrong() -> None:
    said = decide(BETTER, [BROKEN, FINE], ["a.safetensors is missing", "b.safetensors is missing"]).sentence
    assert said == (
        "better: of 63 pairs, 20 got better, 3 worse, 40 the same; but diversity moved by -40% to -20%; "
        "a.safetensors is missing; b.safetensors is missing"
    )
