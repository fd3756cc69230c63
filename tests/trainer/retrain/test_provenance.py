from feedback.retrain.manifest import FrozenManifest
from store.layout import layout_of
from tests.trainer.conftest import quick_settings
from trainer.retrain.provenance import checkpoint_folder, code_commit, recorded_settings, training_settings


def test_the_checkout_is_named_by_its_commit():
    commit = code_commit()
    assert commit == "" or len(commit.rstrip("+")) == 40


def test_empty_settings_are_recorded_as_the_values_that_were_used(tmp_path):
    default, trigger = quick_settings(tmp_path), quick_settings(tmp_path, objective="trigger")
    assert [training_settings(one)["lora_layers"] for one in (default, trigger)] == ["all", "text"]
    assert [training_settings(one)["anchor"] for one in (default, trigger)] == [1.0, 4.0]


def test_how_the_machine_is_used_is_recorded_but_does_not_change_the_checkpoint_folder(tmp_path):
    settings = quick_settings(tmp_path)
    saving = settings.model_copy(update={"gradient_checkpointing": True})
    assert recorded_settings(settings) != recorded_settings(saving)
    layout, manifest = layout_of(settings), FrozenManifest("0" * 64, ())
    assert checkpoint_folder(layout, manifest, settings) == checkpoint_folder(layout, manifest, saving)
    other = settings.model_copy(update={"seed": 1})
    assert checkpoint_folder(layout, manifest, settings) != checkpoint_folder(layout, manifest, other)
