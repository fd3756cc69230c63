import numpy as np
import pytest

from trainer.world import SUBJECTS, Scene, all_scenes, default_prompts, phrase, read_prompt, write_prompts
from trainer.world.scenes import phrasings


@pytest.mark.parametrize("subject", SUBJECTS)
def test_every_phrasing_of_every_scene_reads_back_as_the_scene(subject):
    for scene in all_scenes(subject):
        for prompt in phrasings(scene):
            assert read_prompt(prompt) == scene, prompt


def test_a_phrase_is_one_of_the_phrasings():
    scene = Scene("cat", "orange", "sky", "bow")
    said = {phrase(scene, np.random.default_rng(seed)) for seed in range(60)}
    assert said <= set(phrasings(scene)) and len(said) > 4
    assert all(" a orange" not in prompt and not prompt.startswith("a orange") for prompt in said)


@pytest.mark.parametrize(
    "typed",
    [
        "A RED HAND ON A MINT BACKGROUND",
        "red hand on mint",
        "an red hand, mint background.",
        "Mint background: one open hand (red)!",
        "red hands on a mint  background",
    ],
)
def test_what_a_person_would_type_is_read(typed):
    assert read_prompt(typed) == Scene("hand", "red", "mint")


def test_sky_blue_is_a_background_and_not_the_colour_blue():
    assert read_prompt("a violet kitten on sky-blue") == Scene("cat", "purple", "sky")


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "a photo of a horse",
        "a red hand",
        "a red and blue hand on mint",
        "a red cat and a hand on mint",
        "a red flower on a mint background",
        'a red sign that says "NO" on a mint background',
    ],
)
def test_a_prompt_that_names_no_single_scene_is_not_read(typed):
    assert read_prompt(typed) is None


def test_default_prompts_are_distinct_readable_even_over_subjects_and_always_the_same():
    prompts = default_prompts()
    subjects = [read_prompt(prompt).subject for prompt in prompts]
    assert len(set(prompts)) == len(prompts) == 198
    assert {subjects.count(subject) for subject in SUBJECTS} == {33}
    assert prompts == default_prompts()


def test_the_prompt_file_has_one_prompt_a_line(tmp_path):
    write_prompts(tmp_path / "prompts.txt")
    assert (tmp_path / "prompts.txt").read_text(encoding="utf-8").splitlines() == default_prompts()
