from dataclasses import FrozenInstanceError

import pytest

from feedback.recipe import Recipe
from store.settings import Settings
from store.tables import Version


def version(**carried: object) -> Version:
    return Version(number=1, base_model="builtin", base_sha256="0" * 64, rule="woolf", strength=2.0, settings=carried)


def test_a_version_that_carries_nothing_means_what_it_always_did() -> None:
    recipe = Recipe.of(version())
    assert (recipe.rule, recipe.strength) == ("woolf", 2.0)
    assert (recipe.negative_prompt, recipe.guidance_gain, recipe.lora_text_encoders) == (None, 0.0, False)
    assert (recipe.imported_from, recipe.model_revision, recipe.refiner) == ("", "", "")
    assert recipe.trigger_word == "wrong"


def test_keys_of_other_programs_are_left_out() -> None:
    recipe = Recipe.of(version(ema_decay=0.5, optimizer="lion", trigger="bad", lora_rank=4))
    assert (recipe.trigger, recipe.lora_rank, recipe.trigger_word) == ("bad", 4, "bad")


def test_rule_and_strength_are_those_of_the_version_not_of_the_settings_it_was_trained_under() -> None:
    recipe = Recipe.of(version(rule="negative-half", strength=None))
    assert (recipe.rule, recipe.strength) == ("woolf", 2.0)


def test_an_own_negative_prompt_is_the_trigger_word() -> None:
    assert Recipe.of(version(negative_prompt="ugly", trigger="bad")).trigger_word == "ugly"


def test_at_strength_zero_the_plain_base_is_asked_for() -> None:
    settings = Settings(rule="same-prompt", trigger="bad", guidance_gain=0.5)
    assert Recipe.asked(settings, 0.0).rule == "plain"
    recipe = Recipe.asked(settings, 4.0)
    assert (recipe.rule, recipe.strength, recipe.trigger, recipe.guidance_gain) == ("same-prompt", 4.0, "bad", 0.5)


def test_a_recipe_is_never_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        Recipe("plain", 0.0).strength = 1.0  # type: ignore[misc]
