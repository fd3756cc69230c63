import pytest

from bench.card.parts.limits import chosen_to_draw, draw, ends_well, fits_on, within
from bench.card.parts.meter import Meter
from trainer.base.free import Memory
from trainer.card.choosing import choose
from trainer.lora.tensors import TRAINED, add_fresh


def quiet(name: str) -> None:
    """Tells nobody."""


@pytest.mark.slow
def test_what_is_chosen_for_8_gb_trains_draws_and_decodes(subject):
    told: list[str] = []
    fit, drawing = fits_on(subject, 8, told.append)
    assert fit.holds and drawing.holds, (fit.words, drawing.words)
    assert "8 latents a pass" in fit.words
    assert "8 pictures at once, decoded whole" in drawing.words
    assert told == ["a fit on 8 GB", "drawing on 8 GB"]
    assert TRAINED not in (getattr(subject.base.pipe.unet, "peft_config", None) or {})


@pytest.mark.slow
def test_a_fit_that_must_be_halved_does_not_fit(subject, rows_meter):
    fit, drawing = fits_on(subject, 8, quiet, rows_meter(subject, 4))
    assert not fit.holds
    assert fit.words.endswith("ran out of memory 1 time")
    assert drawing.holds


def test_what_takes_more_than_there_is_does_not_fit(subject):
    meter = Meter(subject.device)
    meter.start()
    assert within("drawing", meter, 10**12, 1.0, "8 pictures").holds
    assert not within("drawing", meter, 10**6, 1.0, "8 pictures").holds


@pytest.mark.slow
def test_a_pass_that_does_not_fit_is_halved(subject, rows_meter):
    halved, refused = ends_well(subject, quiet, rows_meter(subject, 4))
    assert halved.holds
    assert "16 latents a pass ran out of 12.0 GB 2 times" in halved.words
    assert not refused.holds  # one latent fits


@pytest.mark.slow
def test_where_not_one_latent_fits_the_advice_is_shown(subject, rows_meter):
    meter = rows_meter(subject, 1)
    checks = ends_well(subject, quiet, meter)
    assert next(checks).holds
    meter.most = 0
    refused = next(checks)
    assert refused.holds
    assert "NAYSAYER_GRADIENT_CHECKPOINTING=1" in refused.words


@pytest.mark.slow
def test_a_card_that_takes_everything_shows_that_nothing_was_tried(subject):
    halved, refused = ends_well(subject, quiet)
    assert not halved.holds
    assert not refused.holds
    assert refused.words == "it was taken to the end"


def test_the_text_encoders_leave_and_come_back(subject):
    small = choose(Memory(1, 1), subject.sizes, subject.settings, ())
    assert small.choice.offload_encoders and small.choice.vae_decode == "tiled"
    with subject.taken_off():
        add_fresh(subject.base.pipe.unet, 2, "attention", 0)
        with chosen_to_draw(subject.base, small) as base:
            assert base.settings.offload_encoders
            assert base.pipe.vae.use_tiling
            assert draw(base, subject, 1) == "1 picture at once"
    assert not subject.base.pipe.vae.use_tiling
    assert not subject.base.pipe.text_encoder._forward_pre_hooks
