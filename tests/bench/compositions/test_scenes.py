import numpy as np
import pytest

from bench.compositions import SUBJECTS, Scene, Thing, all_scenes, default_prompts, phrase, phrasings, read_prompt

RED, BLUE = Thing("red", "circle"), Thing("blue", "square")


@pytest.mark.parametrize("subject", SUBJECTS)
def test_every_phrasing_of_every_scene_reads_back_as_the_scene(subject):
    for scene in all_scenes(subject):
        for prompt in phrasings(scene):
            assert read_prompt(prompt) == scene, prompt


def test_a_phrase_is_one_of_several_phrasings():
    scene = all_scenes("relation")[0]
    said = {phrase(scene, np.random.default_rng(seed)) for seed in range(60)}
    assert said <= set(phrasings(scene)) and len(said) > 4


@pytest.mark.parametrize(
    ("typed", "scene"),
    [
        ("3 RED circles on sky-blue!", Scene("count", (RED,), "sky", "three")),
        ("Red circle, blue square, white background", Scene("pair", (RED, BLUE), "white")),
        ("a red circle left of the blue square on mint", Scene("relation", (RED, BLUE), "mint", "left")),
        ("a sad blue face wearing a hat on pink", Scene("face", (Thing("blue", "face"),), "pink", "frown hat")),
    ],
)
def test_what_a_person_would_type_is_read(typed, scene):
    assert read_prompt(typed) == scene


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "three red circles",
        "red circles on mint",
        "three red circles on mint and white",
        "three red circles and a blue square on mint",
        "a red circle and a red square on mint",
        "a red circle above and below a blue square on mint",
        "a happy sad red face on mint",
        "seven red circles on mint",
    ],
)
def test_a_prompt_that_names_no_single_scene_is_not_read(typed):
    assert read_prompt(typed) is None


def test_default_prompts_are_distinct_readable_even_over_subjects_and_always_the_same():
    prompts = default_prompts()
    subjects = [read_prompt(prompt).subject for prompt in prompts]
    assert len(set(prompts)) == len(prompts) == 132
    assert {subjects.count(subject) for subject in SUBJECTS} == {33}
    assert prompts == default_prompts()
