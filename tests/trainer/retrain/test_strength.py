from dataclasses import replace

import pytest
import torch

from feedback.recipe import Recipe
from feedback.retrain.manifest import freeze
from feedback.sample.work import Job
from store.layout import layout_of
from store.migrate import open_store
from store.tables import Split
from trainer.fit.cache import Cache
from trainer.fit.training import Training
from trainer.lora.tensors import TRAINED, add_fresh
from trainer.retrain.pictures.looks import FRESH_SEED, SEEDS_EACH, held_out_jobs
from trainer.retrain.strength import (
    STRENGTHS,
    Choice,
    choose_strength,
    guidance_share,
    is_rejected_more,
    passes,
    search,
)
from trainer.sample.sampler import sample_latents, steer_drawing


@pytest.fixture
def training(rated, own_base) -> Training:
    """The training of a small rated store."""
    engine, layout = open_store(rated), layout_of(rated)
    manifest = freeze(engine, own_base.sha256)
    engine.dispose()
    return Training(own_base, Cache(own_base, layout.blobs, layout.cache), manifest, rated)


def adapt(base, size: float) -> None:
    """An active adapter with a random effect of that size."""
    with torch.no_grad():
        for parameter in add_fresh(base.pipe.unet, 4, "all", seed=0):
            parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)) * size)


def test_an_adapter_without_effect_may_be_used_at_any_strength(training):
    adapt(training.base, 0.0)
    choice = choose_strength(training.with_settings(guidance_gain=0.0), {}, last=1.0)
    assert choice.strength == max(STRENGTHS["same-prompt"])
    assert [point["strength"] for point in choice.curve] == list(STRENGTHS["same-prompt"])
    assert all(point["diversity"] == pytest.approx(1.0) and point["push"] == 0 for point in choice.curve)


def test_an_adapter_that_spoils_pictures_gets_the_least_strength_and_the_curve_says_why(training):
    adapt(training.base, 0.3)
    choice = choose_strength(training, {})
    assert choice.strength == min(STRENGTHS["same-prompt"])
    assert choice.curve[-1]["passes"] == 0


@pytest.mark.parametrize("limit", [0.0, 1.0, 2.0, 4.0, 6.0])
def test_wherever_the_search_begins_it_finds_what_trying_all_from_the_weakest_finds(limit):
    strengths, asked = STRENGTHS["same-prompt"], []

    def measure(strength: float) -> dict[str, float]:
        asked.append(strength)
        return {"strength": strength, "passes": float(strength <= limit)}

    for begin in range(len(strengths)):
        asked.clear()
        choice = search(strengths, begin, measure)
        assert choice.strength == max(limit, min(strengths))
        assert [point["strength"] for point in choice.curve] == sorted(set(asked)) == sorted(asked)


def test_the_search_begins_at_the_last_versions_strength_and_the_curve_has_only_what_was_tried(training):
    adapt(training.base, 0.0)
    small = training.with_settings(guidance_gain=0.0)
    assert [point["strength"] for point in choose_strength(small, {}).curve] == [6.0]
    assert [point["strength"] for point in choose_strength(small, {}, last=3.9).curve] == [4.0, 6.0]


def test_plain_pictures_are_drawn_once_and_the_measures_stay_what_they_were(training):
    adapt(training.base, 0.05)
    rows: list[int] = []
    with training.base.pipe.unet.register_forward_pre_hook(lambda _, inputs: rows.append(len(inputs[0]))):
        first = choose_strength(training, {})
        drawn, _ = sum(rows), rows.clear()
        again = choose_strength(training, {})
    plain = 2 * 4 * training.base.plain.num_inference_steps
    assert drawn - sum(rows) == plain
    assert again.curve == first.curve
    [kept, *_] = [path for path in (training.cache.folder / "plain").iterdir()]
    kept.write_bytes(b"damaged")
    assert choose_strength(training, {}).curve[0]["passes"] == first.curve[0]["passes"]


def test_a_strength_set_by_hand_is_kept_and_measured(training):
    adapt(training.base, 0.0)
    choice = choose_strength(training.with_settings(strength=2.5), {})
    assert choice.strength == 2.5
    assert [point["strength"] for point in choice.curve] == [2.5]


def test_the_sweep_halves_its_pictures_until_they_fit_and_finds_the_same(training):
    adapt(training.base, 0.05)
    whole = choose_strength(training, {})
    seen: list[int] = []

    def run_out_of_memory_above_six(unet: torch.nn.Module, inputs: tuple) -> None:
        seen.append(len(inputs[0]))
        if len(inputs[0]) > 6:  # rows: two for each picture of the base, three under same-prompt
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1 GiB")

    with training.base.pipe.unet.register_forward_pre_hook(run_out_of_memory_above_six):
        split = choose_strength(training, {})
    assert max(seen) > 6
    assert split.strength == whole.strength
    for one, other in zip(split.curve, whole.curve, strict=True):
        assert one == pytest.approx(other, rel=1e-3)


def test_the_sweep_leaves_the_adapter_active(training):
    base = training.base
    adapt(base, 0.1)
    choose_strength(training, {})
    assert base.pipe.unet.active_adapters() == [TRAINED]


def test_strengths_that_raters_rejected_significantly_more_are_left_out(training):
    adapt(training.base, 0.0)
    judged = {2.0: (5, 100), 8.0: (60, 100), 6.0: (55, 100)}
    assert choose_strength(training.with_settings(guidance_gain=0.0), judged).strength == 4.0
    assert not is_rejected_more(8.0, {2.0: (1, 10), 8.0: (9, 10)})  # too few to count


def test_the_sweep_draws_on_held_out_prompts_and_seeds_first_each_prompt_under_two_seeds(training):
    manifest = training.manifest
    held_out = {(item.prompt, item.seed) for item in manifest.items if item.split is Split.held_out}
    trained = {(item.prompt, item.seed) for item in manifest.items if item.split is Split.train}
    jobs = held_out_jobs(manifest, 12)
    assert len(set(jobs)) == 12
    assert [prompt for prompt, _ in jobs[::2]] == [prompt for prompt, _ in jobs[1::2]]
    assert held_out and held_out <= set(jobs)
    assert not set(jobs) & trained


def test_under_woolf_the_lora_acts_on_every_row_and_the_trigger_is_the_negative_prompt(own_base):
    adapt(own_base, 0.05)
    unet = own_base.pipe.unet
    drawing = steer_drawing(own_base.plain, Recipe("woolf", 1.0, trigger="wrong"))
    assert drawing.negative_prompt == "wrong"
    unet.disable_adapters()
    ours = sample_latents(own_base, [Job("a big red star", 1)], drawing, TRAINED)
    unet.enable_adapters()
    pefts = sample_latents(own_base, [Job("a big red star", 1)], steer_drawing(drawing, Recipe("plain", 0.0)), TRAINED)
    torch.testing.assert_close(ours, pefts, rtol=1e-3, atol=1e-3)


def test_under_same_prompt_the_guidance_scale_grows_with_the_strength(base):
    recipe = Recipe("same-prompt", 4.0, guidance_gain=0.5)
    assert steer_drawing(base.plain, recipe).guidance_scale == base.plain.guidance_scale + 2.0
    other = replace(recipe, rule="negative-half")
    assert steer_drawing(base.plain, other).guidance_scale == base.plain.guidance_scale


SOUND = {"strength": 2.0, "diversity": 1.0, "contrast": 1.0, "saturation": 1.0, "push": 0.3}


@pytest.mark.parametrize(
    ("changes", "is_sound"),
    [
        ({}, True),
        ({"diversity": 0.5}, True),
        ({"diversity": 0.49}, False),
        ({"diversity": 9.0}, True),
        ({"contrast": 0.8}, True),
        ({"contrast": 0.79}, False),
        ({"contrast": 1.25}, True),
        ({"contrast": 1.26}, False),
        ({"saturation": 0.8}, True),
        ({"saturation": 0.79}, False),
        ({"saturation": 1.26}, False),
        ({"push": 0.6}, True),
        ({"push": 0.61}, False),
    ],
)
def test_each_guard_alone_refuses_a_strength_beyond_its_limit(changes: dict[str, float], is_sound: bool):
    assert passes(SOUND | changes, {}) is is_sound


def test_a_strength_is_rejected_more_only_beyond_chance_and_with_enough_votes():
    assert is_rejected_more(6.0, {2.0: (2, 40), 6.0: (20, 40)})
    assert not is_rejected_more(6.0, {2.0: (2, 40), 6.0: (20, 39)})
    assert not is_rejected_more(6.0, {2.0: (2, 39), 6.0: (20, 40)})
    assert not is_rejected_more(4.0, {2.0: (2, 40), 6.0: (20, 40)})
    assert not is_rejected_more(2.0, {2.0: (2, 40), 6.0: (20, 40)})
    assert not is_rejected_more(2.0, {})
    assert not passes(SOUND | {"strength": 6.0}, {2.0: (2, 40), 6.0: (20, 40)})


def test_a_curve_tells_the_guidance_the_push_and_the_votes(training):
    adapt(training.base, 0.05)
    base = training.base
    share = guidance_share(training)
    assert share > 0
    assert base.pipe.unet.active_adapters() == [TRAINED]
    choice = choose_strength(training.with_settings(strength=2.0, guidance_gain=0.5), {2.0: (5, 100), 4.0: (1, 9)})
    [point] = choice.curve
    w = base.plain.guidance_scale + 0.5 * 2.0
    assert point["guidance_scale"] == pytest.approx(w)
    assert point["push"] == pytest.approx(2.0 * share / w, rel=1e-4)
    assert (point["rejects"], point["judged"], point["pictures"]) == (5, 100, 4)
    half = choose_strength(training.with_settings(strength=1.0, rule="negative-half"), {}).curve[0]
    w = base.plain.guidance_scale
    null_share = guidance_share(training.with_settings(rule="negative-half"))
    assert half["push"] == pytest.approx(1.0 * null_share * (w - 1) / w, rel=1e-4)
    assert "judged" not in half


def test_prompts_beyond_those_held_out_are_drawn_with_seeds_of_no_picture(training):
    manifest = training.manifest
    held_out = [item for item in manifest.items if item.split is Split.held_out]
    jobs = held_out_jobs(manifest, 1000)
    prompts = list(dict.fromkeys(item.prompt for item in manifest.items))
    assert len(jobs) == SEEDS_EACH * len(prompts) == len(set(jobs))
    first = len({item.prompt for item in held_out})
    assert {job.prompt for job in jobs[: SEEDS_EACH * first]} == {item.prompt for item in held_out}
    seeds = {item.seed for item in manifest.items}
    own = {item.seed for item in held_out}
    assert all(job.seed in own or job.seed not in seeds for job in jobs)
    assert [job.seed for job in held_out_jobs(manifest, 0)][1] == FRESH_SEED + 1
    assert len(held_out_jobs(manifest, 0)) == len(held_out_jobs(manifest, 3)) == SEEDS_EACH
    assert len(held_out_jobs(manifest, 4)) == 2 * SEEDS_EACH


def test_the_strongest_strength_that_the_check_expects_to_help_is_kept():
    curve = [{"strength": s, "passes": float(s < 6)} for s in (1.0, 2.0, 4.0, 6.0)]
    asked: list[float] = []

    def expect(strength: float) -> float:
        asked.append(strength)
        return -0.1 if strength <= 2 else 0.1

    choice = Choice(4.0, curve).with_help(expect)
    assert choice.strength == 2.0
    assert asked == [4.0, 2.0]
    assert [(point.get("expected"), point["passes"]) for point in choice.curve] == [
        (None, 1.0), (-0.1, 1.0), (0.1, 0.0), (None, 0.0),
    ]  # fmt: skip


def test_a_weaker_strength_is_measured_only_when_the_check_asks_for_it():
    measured: list[float] = []

    def measure(strength: float) -> dict[str, float]:
        measured.append(strength)
        return {"strength": strength, "passes": 1.0}

    choice = search((1.0, 2.0, 4.0, 6.0), 3, measure)
    assert measured == [6.0]
    helped = choice.with_help(lambda strength: 3.0 - 6.0 / strength - 1.0)
    assert (helped.strength, measured) == (2.0, [6.0, 4.0, 2.0])
    assert [point["strength"] for point in helped.curve] == [2.0, 4.0, 6.0]


def test_where_no_strength_is_expected_to_help_the_weakest_is_kept():
    curve = [{"strength": s, "passes": 1.0} for s in (1.0, 2.0)]
    choice = Choice(2.0, curve).with_help(lambda _: 0.0)
    assert choice.strength == 1.0
    assert not any(point["passes"] for point in choice.curve)


def test_without_an_expectation_the_guards_decide():
    curve = [{"strength": s, "passes": 1.0} for s in (1.0, 2.0)]
    assert Choice(2.0, curve).with_help(lambda _: None) == Choice(2.0, curve)
