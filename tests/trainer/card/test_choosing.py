from dataclasses import replace

import pytest

from store.settings import Settings
from trainer.base.free import Memory
from trainer.card.choosing import Choice, choice_of, choose, fill_in, least, need_of, ways_to_draw, ways_to_fit
from trainer.card.sizes import Sizes

GB = 10**9
FULL = Sizes(
    unet=5_134_927_368,
    linear=4_465_295_360,
    linear_each=2,
    encoders=1_635_440_640,
    encoder=1_389_319_680,
    vae=167_307_726,
    refiner=0,
    lora=759_398_400,
    latent=9_547_302_912,
    latent_checkpointed=901_125_632,
    row=165_606_912,
    rows=3,
    text=25_625_600,
    decoded=1_610_874_880,
    decoded_tiled=427_884_544,
)
"""SDXL at 1024 px in bf16 with a LoRA of rank 16 on all layers, which tests/bench/card/test_computed.py counts."""
EMPTY = Settings(_env_file=None)


def on(gigabytes: float, settings: Settings = EMPTY, *quantizers: str, whole: float = 0, kept: Choice | None = None):
    return choose(Memory(int(gigabytes * GB), int((whole or gigabytes) * GB)), FULL, settings, quantizers, kept)


@pytest.mark.parametrize(
    ("rows", "again", "measured_gb"), [(8, False, 82), (8, True, 13), (1, True, 7.7)], ids=["8", "8 again", "1 again"]
)
def test_computed_needs_are_those_measured_on_an_h200(rows, again, measured_gb):
    need = need_of(Choice(rows, again, "none", 1, "whole", False), FULL)
    assert need.fit / GB == pytest.approx(measured_gb, rel=0.09)


def test_a_card_of_8_gb_trains_and_draws_at_1024_px_without_quantisation():
    found = on(8)
    assert found.fits
    assert found.choice.base_quantization == "none"


def test_the_least_memory_is_that_of_kohyas_fp8_figure():
    least = Settings(_env_file=None, lora_layers="attention", base_quantization="nf4", micro_batch=1)
    sizes = replace(FULL, lora=FULL.lora // 2, latent_checkpointed=850_000_000)
    found = choose(Memory(int(4.4 * GB), int(4.4 * GB)), sizes, least, ())
    assert found.need.fit <= 4.4 * GB


def test_more_memory_never_makes_a_choice_slower():
    order_fit, order_draw = ways_to_fit(EMPTY), ways_to_draw(EMPTY)
    places = []
    for gigabytes in (8, 10, 12, 16, 24, 48, 80, 141):
        chosen = on(gigabytes).choice
        fit = [way for way in order_fit if way == (chosen.micro_batch, chosen.gradient_checkpointing)]
        draw = (chosen.sample_batch, chosen.vae_decode, chosen.offload_encoders)
        places.append((order_fit.index(fit[0]), [tuple(way) for way in order_draw].index(draw)))
    assert places == sorted(places, reverse=True)
    assert places[-1] == (0, 0)


def test_what_is_chosen_fits_into_what_is_free():
    for gigabytes in (8, 9, 11, 14, 20, 30, 60, 100):
        found = on(gigabytes)
        assert found.fits
        assert found.need.most <= gigabytes * GB


def test_a_value_set_by_hand_holds_even_where_it_does_not_fit():
    by_hand = Settings(_env_file=None, micro_batch=8, gradient_checkpointing=False, vae_decode="whole")
    found = on(12, by_hand, "nf4")
    assert (found.choice.micro_batch, found.choice.gradient_checkpointing, found.choice.vae_decode) == (
        8,
        False,
        "whole",
    )
    assert not found.fits
    assert fill_in(by_hand, Choice(1, True, "nf4", 1, "tiled", True)).micro_batch == 8


def test_the_base_is_quantised_only_where_nothing_else_fits_into_the_whole_memory():
    assert on(6, EMPTY, "fp8", "nf4").choice.base_quantization == "fp8"
    assert on(4.7, EMPTY, "fp8", "nf4").choice.base_quantization == "nf4"
    beside_others = on(5, EMPTY, "fp8", "nf4", whole=24)
    assert beside_others.choice.base_quantization == "none"
    assert not beside_others.fits


def test_a_resumed_run_keeps_its_choice_where_that_fits():
    began = on(12).choice
    assert on(80, kept=began).choice == began
    assert on(8, kept=began).choice == on(8).choice
    by_hand = Settings(_env_file=None, micro_batch=2)
    assert on(80, by_hand, kept=began).choice == began._replace(micro_batch=2)


def test_with_what_is_left_empty_at_its_least_a_card_of_8_gb_draws_and_retrains():
    assert need_of(least(EMPTY), FULL).most < 8 * 2**30
    by_hand = Settings(_env_file=None, gradient_checkpointing=False)
    assert need_of(least(by_hand), FULL).fit > 15 * GB
    assert need_of(least(Settings(_env_file=None, micro_batch=8, gradient_checkpointing=False)), FULL).fit > 80 * GB


def test_drawing_whole_pictures_at_full_size_does_not_fit_into_8_gb():
    """As on an H200 that was capped at 8.5 GB."""
    assert 8.5 * GB < need_of(Choice(1, True, "none", 1, "whole", False), FULL).draw < 12.5 * GB


def test_the_least_is_the_choice_that_is_made_on_the_smallest_card():
    assert least(EMPTY) == on(0).choice


def test_where_the_model_shares_the_machines_memory_nothing_that_leaves_makes_room():
    shared, leaving = replace(FULL, has_own=False), Choice(1, True, "none", 1, "tiled", True)
    with_own, without = need_of(leaving, FULL), need_of(leaving, shared)
    assert without.fit - with_own.fit == FULL.encoders + FULL.vae
    assert without.draw - with_own.draw > FULL.encoders - FULL.encoder


def test_quantised_weights_of_the_unet_count_a_byte_each():
    plain, fp8 = (Choice(1, True, kind, 1, "tiled", True) for kind in ("none", "fp8"))
    assert need_of(plain, FULL).fit - need_of(fp8, FULL).fit == FULL.linear / 2


def test_smaller_pictures_need_less():
    half = replace(FULL, row=FULL.row // 4, decoded=FULL.decoded // 4)
    way = Choice(8, True, "none", 8, "whole", False)
    assert need_of(way, half).draw < need_of(way, FULL).draw - 5 * GB


def test_settings_that_leave_nothing_open_are_their_own_choice():
    choice = Choice(2, True, "none", 4, "sliced", True)
    filled = fill_in(EMPTY, choice)
    assert choice_of(filled) == least(filled) == choice
