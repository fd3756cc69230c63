import random
from itertools import permutations

import pytest

import trainer.world as drawn
from bench import compositions
from bench.loop.worlds import distinct_prompts
from trainer.fit.pairing import CANDIDATES, asks_for_another, most_like, similarity


def test_a_prompt_is_most_like_itself_whatever_its_case_and_punctuation():
    assert similarity("Two red stars, on mint!", "two red stars on mint") == 1.0


def test_prompts_without_a_common_word_are_not_alike_and_empty_ones_raise_nothing():
    assert similarity("a cat", "two dogs") == 0.0
    assert similarity("", "") == 0.0
    assert not asks_for_another("a cat", "two dogs")
    assert not asks_for_another("", "")


def test_the_prompt_that_shares_most_words_comes_first():
    others = ["a sad face with a hat", "two blue stars on a mint background", "two red stars"]
    assert most_like("two red stars on a mint background", others) == others[1]


def test_the_same_prompt_comes_before_all_others():
    prompt = "two red stars on a mint background"
    assert most_like(prompt, ["two red stars on a mint floor", prompt]) == prompt


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a red star above a hand", "a hand below a red star"),
        ("a boy chasing a dog", "a dog chased by a boy"),
        ("3 cats", "three cats"),
        ("A CAT in Rome", "a cat in rome."),
        ("two boxes of cherries", "2 box of cherry"),
        ("a cat on a sofa", "on the sofa, a cat"),
        ("a drawing of a star on mint", "a picture of a star against a mint backdrop"),
        ("a star", "a red star"),
        ("a six-petal flower", "a flower with six petals"),
    ],
)
def test_prompts_that_one_picture_may_follow_do_not_ask_for_another(one, other):
    assert not asks_for_another(one, other)
    assert not asks_for_another(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a red star", "a blue star"),
        ("two cats", "3 cats"),
        ("a photo of a cow", "a photo of a bench"),
        ("a star above a hand", "a star below a hand"),
        ("a sign that says GO", "a sign that says UP"),
    ],
)
def test_prompts_that_differ_in_a_word_ask_for_another(one, other):
    assert asks_for_another(one, other)
    assert asks_for_another(other, one)


@pytest.mark.parametrize(("world", "most"), [(drawn, 0.01), (compositions, 0.02)])
def test_in_both_worlds_hardly_a_picture_meets_its_own_scene_and_none_lacks_another_prompt(world, most):
    prompts, chance, same = distinct_prompts(world, 0, 198, world.SUBJECTS, ()), random.Random(0), 0
    for kept in prompts:
        others = [prompt for prompt in chance.choices(prompts, k=CANDIDATES) if asks_for_another(prompt, kept)]
        same += world.read_prompt(most_like(kept, others)) == world.read_prompt(kept)
    assert same <= most * len(prompts)


def test_all_plain_changes_of_a_composition_ask_for_another():
    scenes = ("{} red stars on mint", "a {} face on white", "a red star {} a blue circle, mint background")
    details = (("two", "three", "4"), ("sad", "happy"), ("above", "below", "to the left of", "to the right of"))
    for scene, words in zip(scenes, details, strict=True):
        for one, other in permutations(words, 2):
            assert asks_for_another(scene.format(one), scene.format(other))
