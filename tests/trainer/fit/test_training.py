from store.settings import Settings
from tests.trainer.conftest import quick_settings
from trainer.fit.training import choose_anchor, choose_steps
from trainer.lora.tensors import choose_layers


def test_each_rated_picture_is_worth_three_steps_up_to_a_limit(tmp_path):
    settings = quick_settings(tmp_path, train_steps=0)
    assert [choose_steps(settings, n).train_steps for n in (0, 100, 600, 9_000)] == [1, 300, 1800, 1800]


def test_what_the_settings_name_is_kept():
    named = Settings(_env_file=None, train_steps=7, lora_layers="attention", anchor=0.0)  # type: ignore[call-arg]
    assert (choose_steps(named, 500).train_steps, choose_layers(named), choose_anchor(named)) == (7, "attention", 0.0)


def test_under_the_objective_trigger_only_the_text_layers_learn_and_the_anchor_is_stronger():
    trigger = Settings(_env_file=None, objective="trigger")  # type: ignore[call-arg]
    assert (choose_layers(trigger), choose_anchor(trigger)) == ("text", 4.0)
