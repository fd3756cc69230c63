import pytest

from ui.dashboard.versions.setting_words import setting_meaning, setting_name, setting_value


@pytest.mark.parametrize(("name", "said"), [("lora_rank", "rank of the LoRA"), ("lora_alpha", "LoRA alpha")])
def test_a_setting_has_a_name_without_underscores(name, said):
    assert setting_name(name) == said


def test_what_a_setting_does_is_said_as_on_the_settings_page():
    assert setting_meaning("queue_target") == "unrated pictures the worker keeps ready"
    assert setting_meaning("torch, library") == ""


@pytest.mark.parametrize(
    ("recorded", "said"),
    [("false", "no"), ('["a", "b"]', "a, b"), ('""', "none"), ("[]", "none"), ("not JSON", "not JSON")],
)
def test_a_value_is_said_as_a_person_says_it(recorded, said):
    assert setting_value(recorded) == said
