from dataclasses import replace

import psutil
import pytest
import torch
from diffusers import EulerDiscreteScheduler
from sqlmodel import select
from torch import Tensor

from bench.retrain.full_size import build_full_size
from feedback.check.version_check import How
from store.engine import reading
from store.errors import ModelError
from store.layout import layout_of
from store.migrate import open_store
from store.tables import Image
from tests.trainer.sample.test_guidance import adapted  # noqa: F401 - a fixture
from trainer.base.model import Base
from trainer.lora.tensors import TRAINED, add_fresh
from trainer.sample.check import CHECK, Judge, noise_of, read_latent, reject_scores

PROMPTS = [f"a {colour} {thing}" for colour in ("red", "green") for thing in ("star", "hand", "flower", "cat")][:7]
NEEDED_GB = 16


@pytest.fixture
def latents_BCHW() -> Tensor:  # noqa: N802 - shape suffixes
    return torch.randn((7, 4, 16, 16), generator=torch.Generator().manual_seed(11))


def predicted_by_peft(base: Base, noisy_BCHW: Tensor, timestep: int, prompts: list[str]) -> tuple[Tensor, ...]:
    """What base, LoRA, and base without a prompt predict in three separate calls, by peft's own forward."""
    hidden, null, pooled, null_pooled = base.pipe.encode_prompt(prompts)
    unet = base.pipe.unet
    time_ids = torch.tensor([[64.0, 64, 0, 0, 64, 64]] * len(prompts))

    def predict(hidden: Tensor, pooled: Tensor) -> Tensor:
        added = {"text_embeds": pooled, "time_ids": time_ids}
        return unet(noisy_BCHW, timestep, encoder_hidden_states=hidden, added_cond_kwargs=added).sample

    plain, unprompted = predict(hidden, pooled), predict(null, null_pooled)
    unet.enable_adapters()
    lora = predict(hidden, pooled)
    unet.disable_adapters()
    return plain, lora, unprompted


@torch.no_grad()
def by_the_formula(base: Base, latents_BCHW: Tensor, prompts: list[str]) -> Tensor:
    gains = []
    kept = Judge(base, TRAINED).noising.alphas_cumprod
    is_velocity = base.pipe.scheduler.config.prediction_type == "v_prediction"
    for t in CHECK.timesteps:
        signal, spread = kept[t].sqrt(), (1 - kept[t]).sqrt()
        for number in range(CHECK.noises):
            noise = noise_of(number, (4, 16, 16))
            target = signal * noise - spread * latents_BCHW if is_velocity else noise.expand_as(latents_BCHW)
            predicted = predicted_by_peft(base, signal * latents_BCHW + spread * noise, t, prompts)
            base_B, lora_B, null_B = (((p - target) ** 2).sum(dim=(1, 2, 3)) for p in predicted)
            gains.append(torch.stack([1 - lora_B / base_B, 1 - null_B / base_B], dim=1))
    return torch.stack(gains).mean(dim=0)


def evidence(base: Base, latents_BCHW: Tensor) -> Tensor:
    return Judge(base, TRAINED).evidence(latents_BCHW, PROMPTS)


def test_evidence_is_how_much_the_lora_and_how_much_no_prompt_beat_the_base(adapted, latents_BCHW):  # noqa: F811
    found = evidence(adapted, latents_BCHW)
    torch.testing.assert_close(found, by_the_formula(adapted, latents_BCHW, PROMPTS), atol=1e-4, rtol=1e-3)
    assert (found.std(dim=0) > 1e-3).all()  # or the test would compare nothing


def test_a_score_weighs_the_evidence(adapted, latents_BCHW):  # noqa: F811
    how = How.at(CHECK.timesteps, CHECK.noises, (2.0, 0.5))
    expected = evidence(adapted, latents_BCHW) @ torch.tensor([2.0, 0.5])
    torch.testing.assert_close(reject_scores(adapted, latents_BCHW, PROMPTS, TRAINED, how), expected)


def test_evidence_without_weight_is_not_measured(adapted, latents_BCHW):  # noqa: F811
    how = How.at(CHECK.timesteps, CHECK.noises, (1.0, 0.0))
    found = Judge(adapted, TRAINED, how).evidence(latents_BCHW, PROMPTS)
    torch.testing.assert_close(found[:, 0], evidence(adapted, latents_BCHW)[:, 0], atol=1e-4, rtol=1e-3)
    assert (found[:, 1] == 0).all()


def test_under_v_prediction_the_target_is_the_velocity(adapted, latents_BCHW):  # noqa: F811
    pipe = adapted.pipe
    pipe.scheduler = EulerDiscreteScheduler.from_config(pipe.scheduler.config, prediction_type="v_prediction")
    found = evidence(adapted, latents_BCHW)
    torch.testing.assert_close(found, by_the_formula(adapted, latents_BCHW, PROMPTS), atol=1e-4, rtol=1e-3)


def test_a_score_does_not_depend_on_the_other_pictures(adapted, latents_BCHW):  # noqa: F811
    together = reject_scores(adapted, latents_BCHW, PROMPTS, TRAINED)
    one_by_one = [
        reject_scores(adapted, latents_BCHW[i : i + 1], PROMPTS[i : i + 1], TRAINED) for i in range(len(PROMPTS))
    ]
    torch.testing.assert_close(together, torch.cat(one_by_one), atol=1e-4, rtol=1e-3)


def test_a_score_reads_weights_and_long_prompts_as_the_sampler_does(adapted, latents_BCHW):  # noqa: F811
    prompts = ["a red star", "a (red:1.8) star", "a red star, " * 40]
    alike = latents_BCHW[:1].expand(3, -1, -1, -1)
    together = reject_scores(adapted, alike, prompts, TRAINED)
    alone = [reject_scores(adapted, alike[:1], [prompt], TRAINED) for prompt in prompts]
    torch.testing.assert_close(together, torch.cat(alone), atol=1e-4, rtol=1e-3)
    assert len(set(together.tolist())) == 3
    adapted = replace(adapted, settings=adapted.settings.model_copy(update={"prompt_weighting": "off"}))
    cut = reject_scores(adapted, alike, prompts, TRAINED)
    torch.testing.assert_close(cut[0], together[0])
    assert (cut[1:] != together[1:]).all()


def test_an_adapter_without_effect_finds_no_likeness(own_base, latents_BCHW):
    add_fresh(own_base.pipe.unet, 2, "attention", 0)
    own_base.pipe.unet.disable_adapters()
    assert evidence(own_base, latents_BCHW)[:, 0].abs().max() < 1e-6


def test_predictions_share_calls_as_large_as_a_drawing_and_the_cost_is_stated(adapted, latents_BCHW):  # noqa: F811
    calls: list[int] = []
    adapted.pipe.unet.conv_in.register_forward_hook(lambda _m, args, _o: calls.append(len(args[0])))
    for weights, rows in (((1.0, 1.0), [24, 24, 24, 12]), ((1.0, 0.0), [16, 16, 16, 8])):
        calls.clear()
        how = How.at((700, 800), 2, weights)
        Judge(adapted, TRAINED, how).scores(latents_BCHW, PROMPTS)
        assert calls == rows
        assert sum(calls) == 7 * how.unet_rows


def test_one_picture_takes_one_call(adapted, latents_BCHW):  # noqa: F811
    calls: list[int] = []
    adapted.pipe.unet.conv_in.register_forward_hook(lambda _m, args, _o: calls.append(len(args[0])))
    reject_scores(adapted, latents_BCHW[:1], PROMPTS[:1], TRAINED)
    assert calls == [CHECK.unet_rows]


def test_what_does_not_fit_is_scored_in_halves(adapted, latents_BCHW):  # noqa: F811
    whole = reject_scores(adapted, latents_BCHW, PROMPTS, TRAINED)

    def refuse(_unet, args):
        if len(args[0]) > 6:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes")

    adapted.pipe.unet.register_forward_pre_hook(refuse)
    torch.testing.assert_close(reject_scores(adapted, latents_BCHW, PROMPTS, TRAINED), whole, atol=1e-4, rtol=1e-3)


def test_scores_that_are_not_finite_are_an_error(adapted, latents_BCHW):  # noqa: F811
    with torch.no_grad():
        adapted.pipe.unet.conv_out.bias.fill_(float("nan"))
    with pytest.raises(ModelError, match="check's predictions hold NaN"):
        reject_scores(adapted, latents_BCHW, PROMPTS, TRAINED)


def test_a_text_adapter_is_read_by_the_loras_rows_only(taught, latents_BCHW):
    taught.pipe.unet.disable_adapters()
    with_text = reject_scores(taught, latents_BCHW, PROMPTS, TRAINED)
    with torch.no_grad():
        for encoder in (taught.pipe.text_encoder, taught.pipe.text_encoder_2):
            for name, parameter in encoder.named_parameters():
                parameter.mul_("lora_B" not in name)
    without = reject_scores(taught, latents_BCHW, PROMPTS, TRAINED)
    assert (with_text - without).abs().max() > 1e-5


def test_no_picture_has_no_score(adapted):  # noqa: F811
    assert reject_scores(adapted, torch.zeros(0, 4, 16, 16), [], TRAINED).shape == (0,)


def test_a_picture_without_its_latent_is_read_by_the_vae(rated, base):
    engine, layout = open_store(rated), layout_of(rated)
    with reading(engine) as session:
        image = session.exec(select(Image)).first()
    engine.dispose()
    assert image is not None
    own = read_latent(base, layout, image)
    encoded = read_latent(base, layout, image.model_copy(update={"latent_sha256": None}))
    assert own.shape == encoded.shape == (4, 16, 16)
    assert torch.corrcoef(torch.stack([own.flatten(), encoded.flatten()]))[0, 1] > 0.8


@pytest.mark.slow
@pytest.mark.full_size
@pytest.mark.timeout(1200)
@pytest.mark.skipif(
    psutil.virtual_memory().available < NEEDED_GB * 1e9, reason=f"the full-size model needs {NEEDED_GB} GB of memory"
)
@torch.no_grad()
def test_a_check_judges_pictures_of_the_full_size_model(base: Base) -> None:
    pipe = build_full_size("bf16")
    settings = base.settings.model_copy(update={"dtype": "bf16"})
    full = replace(base, pipe=pipe, settings=settings)
    for parameter in add_fresh(pipe.unet, 4, "attention", 0):
        parameter.normal_(std=0.05)
    pipe.unet.disable_adapters()
    rows: list[int] = []
    pipe.unet.conv_in.register_forward_hook(lambda _m, args, _o: rows.append(len(args[0])))
    latents_BCHW = torch.randn(2, 4, 32, 32, generator=torch.Generator().manual_seed(0))
    judge = Judge(full, TRAINED)
    found = judge.evidence(latents_BCHW, ["a red star", "a blue hand"])
    assert sum(rows) == 2 * CHECK.unet_rows
    assert found.shape == (2, 2)
    assert torch.isfinite(found).all()
    assert found[:, 0].abs().max() > 0
    alone = judge.evidence(latents_BCHW[:1], ["a red star"])
    torch.testing.assert_close(alone, found[:1], atol=0.02, rtol=0.1)
