import pytest
import torch
from diffusers import EulerDiscreteScheduler
from sqlmodel import select
from torch import Tensor

from store.engine import reading
from store.errors import ModelError
from store.layout import layout_of
from store.migrate import open_store
from store.tables import Image
from tests.trainer.sample.test_guidance import adapted  # noqa: F401 - a fixture
from trainer.base.model import Base
from trainer.lora.tensors import TRAINED, add_fresh
from trainer.sample.check import CHECK, Check, Judge, noise_of, read_latent, reject_scores

PROMPTS = [f"a {colour} {thing}" for colour in ("red", "green") for thing in ("star", "hand", "flower", "cat")][:7]


@pytest.fixture
def latents_BCHW() -> Tensor:  # noqa: N802 - shape suffixes
    return torch.randn((7, 4, 16, 16), generator=torch.Generator().manual_seed(11))


def predicted_by_peft(base: Base, noisy_BCHW: Tensor, timestep: int, prompts: list[str]) -> tuple[Tensor, Tensor]:
    """What base and LoRA predict in two separate calls, by peft's own forward."""
    hidden, _, pooled, _ = base.pipe.encode_prompt(prompts, do_classifier_free_guidance=False)
    unet = base.pipe.unet
    how = {
        "encoder_hidden_states": hidden,
        "added_cond_kwargs": {
            "text_embeds": pooled,
            "time_ids": torch.tensor([[64.0, 64, 0, 0, 64, 64]] * len(prompts)),
        },
    }
    plain = unet(noisy_BCHW, timestep, **how).sample
    unet.enable_adapters()
    lora = unet(noisy_BCHW, timestep, **how).sample
    unet.disable_adapters()
    return plain, lora


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
            plain, lora = predicted_by_peft(base, signal * latents_BCHW + spread * noise, t, prompts)
            base_B, lora_B = (((p - target) ** 2).sum(dim=(1, 2, 3)) for p in (plain, lora))
            gains.append(1 - lora_B / base_B)
    return torch.stack(gains).mean(dim=0)


def test_a_score_is_how_much_the_lora_predicts_better_than_the_base(adapted, latents_BCHW):  # noqa: F811
    found = reject_scores(adapted, latents_BCHW, PROMPTS, TRAINED)
    torch.testing.assert_close(found, by_the_formula(adapted, latents_BCHW, PROMPTS), atol=1e-4, rtol=1e-3)
    assert found.std() > 1e-3  # or the test would compare nothing


def test_under_v_prediction_the_target_is_the_velocity(adapted, latents_BCHW):  # noqa: F811
    pipe = adapted.pipe
    pipe.scheduler = EulerDiscreteScheduler.from_config(pipe.scheduler.config, prediction_type="v_prediction")
    found = reject_scores(adapted, latents_BCHW, PROMPTS, TRAINED)
    torch.testing.assert_close(found, by_the_formula(adapted, latents_BCHW, PROMPTS), atol=1e-4, rtol=1e-3)


def test_a_score_does_not_depend_on_the_other_pictures(adapted, latents_BCHW):  # noqa: F811
    together = reject_scores(adapted, latents_BCHW, PROMPTS, TRAINED)
    one_by_one = [
        reject_scores(adapted, latents_BCHW[i : i + 1], PROMPTS[i : i + 1], TRAINED) for i in range(len(PROMPTS))
    ]
    torch.testing.assert_close(together, torch.cat(one_by_one), atol=1e-4, rtol=1e-3)


def test_an_adapter_without_effect_scores_nought(own_base, latents_BCHW):
    add_fresh(own_base.pipe.unet, 2, "attention", 0)
    own_base.pipe.unet.disable_adapters()
    assert reject_scores(own_base, latents_BCHW, PROMPTS, TRAINED).abs().max() < 1e-6


def test_base_and_lora_share_one_call_and_the_cost_is_stated(adapted, latents_BCHW):  # noqa: F811
    calls: list[int] = []
    adapted.pipe.unet.conv_in.register_forward_hook(lambda _m, args, _o: calls.append(len(args[0])))
    Judge(adapted, TRAINED, Check((700, 800), 2)).scores(latents_BCHW, PROMPTS)
    assert calls == [14] * 4
    assert sum(calls) == 7 * Check((700, 800), 2).unet_rows


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
