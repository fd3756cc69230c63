"""Weights as people write them; what is not meant as one stays text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.prompts.syntax import MOST_WEIGHT, Fragment, parse_prompt, plain_text

BRACKETS = st.text(alphabet="()[]\\:.19 aB", max_size=24)


@pytest.mark.parametrize(
    ("prompt", "parts"),
    [
        ("(hand:1.2)", [[("hand", 1.2)]]),
        ("(hand)", [[("hand", 1.1)]]),
        ("((hand))", [[("hand", 1.21)]]),
        ("[hand]", [[("hand", 0.9091)]]),
        ("a (red [big] star:1.5) in", [[("a ", 1), ("red ", 1.5), ("big", 1.3636), (" star", 1.5), (" in", 1)]]),
        ("((big) hand:.5)", [[("big", 0.55), (" hand", 0.5)]]),
        ("(hand:1.0)", [[("hand", 1)]]),
        ("(hand: 2 )", [[("hand", 2)]]),
        ("(hand:-1)", [[("hand", 0)]]),
        ("(hand:99)", [[("hand", MOST_WEIGHT)]]),
        ("a BREAK b", [[("a", 1)], [("b", 1)]]),
        ("(a BREAK b:1.3) c", [[("a", 1.3)], [("b", 1.3), (" c", 1)]]),
        ("BREAK a BREAK BREAK", [[("a", 1)]]),
        ("(saber \\(fate\\):1.3)", [[("saber (fate)", 1.3)]]),
    ],
)
def test_what_is_weighted_has_its_weight(prompt, parts):
    assert parse_prompt(prompt) == parts


@pytest.mark.parametrize(
    ("prompt", "text"),
    [
        ("a red star", "a red star"),
        ("rem \\(re:zero\\) \\[x\\]", "rem (re:zero) [x]"),
        ("a smile :) and :(", "a smile :) and :("),
        ("(hand:1.2", "(hand:1.2"),
        ("hand:1.2)", "hand:1.2)"),
        ("[hand)", "[hand)"),
        ("breaks BREAKER, a break", "breaks BREAKER, a break"),
        ("C:\\new", "C:\\new"),
        ("\\\\", "\\"),
        ("", ""),
        ("()", ""),
        ("BREAK", ""),
    ],
)
def test_the_rest_is_text(prompt, text):
    assert plain_text(parse_prompt(prompt)) == text


def test_a_bracket_without_partner_does_not_take_away_the_others():
    assert parse_prompt("( (red) [ star") == [[Fragment("( "), Fragment("red", 1.1), Fragment(" [ star")]]
    assert parse_prompt("(red [big) star") == [[Fragment("red [big", 1.1), Fragment(" star")]]


@given(BRACKETS)
def test_every_text_can_be_read(prompt):
    parts = parse_prompt(prompt)
    assert parts and all(part for part in parts)
    assert all(0 <= fragment.weight <= MOST_WEIGHT for part in parts for fragment in part)


@given(st.text().filter(lambda text: text.strip() and not set(text) & set("()[]\\") and "BREAK" not in text))
def test_a_prompt_without_syntax_is_its_own_text(prompt):
    assert plain_text(parse_prompt(prompt)) == prompt
