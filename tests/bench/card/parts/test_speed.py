import pytest

from bench.card.parts import speed
from bench.card.parts.speed import decoding_memory, drawing_speed, fit_speed, quantised_fits, retrain_speed
from trainer.lora.tensors import TRAINED


def quiet(name: str) -> None:
    """Tells nobody."""


@pytest.mark.slow
def test_every_rule_draws_and_costs_about_a_call_with_as_many_rows(subject):
    found = drawing_speed(subject, quiet, steps=2)
    assert list(found["rules"]) == ["plain", "negative-half", "same-prompt", "woolf"]
    assert all(row["per_minute"] > 0 for row in found["rules"].values())
    # The same rows with an adapter on some of them: no rule may cost a further call.
    assert all(0.5 < row["of_plain_with_as_many_rows"] < 1.9 for row in found["rules"].values())
    assert (found["pictures_at_once"], found["steps"]) == (4, 2)
    assert TRAINED not in (getattr(subject.base.pipe.unet, "peft_config", None) or {})


@pytest.mark.slow
def test_a_retrain_is_timed_as_chosen_and_with_one_setting_changed(subject):
    found = retrain_speed(subject, quiet)
    ways = {name: (row["latents_a_pass"], row["gradient_checkpointing"]) for name, row in found["fits"].items()}
    assert ways == {
        "as chosen": (8, False),
        "with gradient checkpointing": (8, True),
        "one latent a pass": (1, True),
    }
    assert all(row["images_per_s"] > 0 and row["peak_gb"] > 0 for row in found["fits"].values())
    assert all(row["bf16_peak_share"] is None for row in found["fits"].values())  # no data sheet names a CPU's


def test_the_share_of_the_peak_is_that_of_the_cards_data_sheet(subject, monkeypatch):
    monkeypatch.setattr(speed, "PEAKS", {"CPU": 2.0})
    row = fit_speed(subject, 2, False, tflop=0.001)
    assert row["bf16_peak_share"] == pytest.approx(3 * 0.001 * row["images_per_s"] / 2.0)


@pytest.mark.slow
def test_pictures_are_decoded_in_each_way_and_the_vae_is_left_as_it_was(subject):
    found = decoding_memory(subject, quiet)
    assert list(found["ways"]) == ["whole", "sliced", "tiled"]
    assert all(row["seconds"] > 0 for row in found["ways"].values())
    assert not subject.base.pipe.vae.use_tiling and not subject.base.pipe.vae.use_slicing


@pytest.mark.slow
def test_a_quantised_base_is_fitted_where_a_quantiser_is_installed(subject, monkeypatch):
    monkeypatch.setattr(speed, "quantizers_of", lambda device: [])
    assert quantised_fits(subject, quiet) == {}
    pytest.importorskip("torchao")
    monkeypatch.undo()
    assert quantised_fits(subject, quiet)["fp8"]["images_per_s"] > 0
    assert subject.settings.base_quantization == "none"
