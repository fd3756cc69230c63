from dataclasses import replace

import pytest

from feedback.sample.conditions import (
    UNKNOWN,
    WORDS,
    Conditions,
    any_alike,
    conditions_id,
    differences,
    is_alike,
    load_conditions,
)
from store.engine import reading, writing

ONE = Conditions(
    20, 64, 64, 2.0, "", "float32", "none", "whole", "Euler leading", "p", "v", "", 1, "off", "sigma 0 to 9"
)
OTHER = Conditions(
    9, 96, 96, 3.0, "ugly", "bfloat16", "fp8", "tiled", "DDIM", "q", "w", "r 0.8", 3, "a1111", "sigma 0.28 and up"
)


@pytest.mark.parametrize("name", WORDS)
def test_each_condition_makes_pictures_unlike_and_is_named(name):
    changed = Conditions(**(vars(ONE) | {name: getattr(OTHER, name)}))
    assert differences(ONE, changed) == [WORDS[name]]
    assert not is_alike(ONE, changed)


def test_what_was_not_recorded_is_taken_to_be_the_same():
    assert is_alike(UNKNOWN, replace(ONE, guidance_interval=None))
    assert is_alike(Conditions(num_inference_steps=20), replace(ONE, guidance_interval=None))
    assert not is_alike(Conditions(num_inference_steps=9), ONE)
    assert any_alike(replace(ONE, guidance_interval=None), [OTHER, UNKNOWN])
    assert not any_alike(ONE, [OTHER])


def test_pictures_without_a_guidance_interval_are_unlike_those_with_one():
    assert differences(UNKNOWN, Conditions(guidance_interval="sigma 0 to 9")) == ["noise levels with guidance"]


def test_compiling_is_recorded_and_keeps_no_pictures_from_being_compared():
    compiled = replace(ONE, is_compiled=True)
    assert is_alike(ONE, compiled)
    assert Conditions.of(compiled.body) == compiled != ONE


def test_conditions_are_recorded_once_and_come_back_the_same(any_engine):
    with writing(any_engine) as session:
        numbers = [conditions_id(session, one) for one in (ONE, OTHER, ONE, UNKNOWN)]
    assert numbers[0] == numbers[2] != numbers[1]
    assert numbers[3] is None
    with reading(any_engine) as session:
        assert load_conditions(session) == {None: UNKNOWN, numbers[0]: ONE, numbers[1]: OTHER}
