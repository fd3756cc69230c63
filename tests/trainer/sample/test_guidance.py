import pytest
import torch
from torch import Tensor

from feedback.sample.work import Job
from trainer.base.model import Base
from trainer.lora.tensors import TRAINED, add_fresh, detach
from trainer.sample.guidance import steered
from trainer.sample.sampler import sample_latents

W, KAPPA, SCALE = 3.0, 2.0, 0.7
PROMPTS, SEEDS = ["a big red star on a blue background", "a small green hand"], [1, 2]
JOBS = [Job(prompt, seed) for prompt, seed in zip(PROMPTS, SEEDS, strict=True)]


@pytest.fixture(params=["attention", "all"])
def adapted(own_base: Base, request: pytest.FixtureRequest) -> Base:
    """A base with an adapter that has an effect but is off."""
    with torch.no_grad():
        for parameter in add_fresh(own_base.pipe.unet, 4, request.param, seed=0):
            parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)) * 0.05)
    own_base.pipe.unet.disable_adapters()
    return own_base


def unet_inputs(base: Base, rows: int) -> tuple[tuple[Tensor, Tensor], dict[str, object]]:
    random = torch.Generator().manual_seed(3)
    unet = base.pipe.unet
    pooled = base.pipe.text_encoder_2.config.projection_dim

    def noise(*shape: int) -> Tensor:
        half = torch.randn((rows // 2, *shape), generator=random)
        return torch.cat([half, half])

    hidden = torch.randn((rows, 77, unet.config.cross_attention_dim), generator=random)
    added = {"text_embeds": torch.randn((rows, pooled), generator=random), "time_ids": torch.full((rows, 6), 64.0)}
    return (noise(4, 16, 16), torch.tensor(601)), {"encoder_hidden_states": hidden, "added_cond_kwargs": added}


def rows_of(args, kwargs, part: slice):
    added = {key: value[part] for key, value in kwargs["added_cond_kwargs"].items()}
    return (args[0][part], args[1]), {
        "encoder_hidden_states": kwargs["encoder_hidden_states"][part],
        "added_cond_kwargs": added,
    }


@torch.no_grad()
def separately(base: Base, part: slice, scale: float) -> Tensor:
    """The prediction of some rows in a separate call, by peft's own forward at that adapter scale."""
    unet = base.pipe.unet
    args, kwargs = rows_of(*unet_inputs(base, 4), part)
    if scale:
        unet.enable_adapters()
        unet.set_adapters([TRAINED], [scale])
    found = unet(*args, **kwargs, return_dict=False)[0]
    unet.set_adapters([TRAINED], [1.0])
    unet.disable_adapters()
    return found


@torch.no_grad()
def steered_cfg(base: Base, rule: str, strength: float) -> Tensor:
    """What the stock pipeline would compute from one steered UNet call."""
    args, kwargs = unet_inputs(base, 4)
    with steered(base.pipe.unet, TRAINED, rule, strength):
        null, cond = base.pipe.unet(*args, **kwargs, return_dict=False)[0].chunk(2)
    return null + W * (cond - null)


NULL, COND = slice(0, 2), slice(2, 4)


def test_negative_half_puts_the_lora_on_the_null_rows_alone(adapted):
    null, cond = separately(adapted, NULL, SCALE), separately(adapted, COND, 0)
    torch.testing.assert_close(
        steered_cfg(adapted, "negative-half", SCALE), null + W * (cond - null), atol=2e-4, rtol=1e-3
    )


def test_same_prompt_adds_kappa_times_what_the_lora_takes_away(adapted):
    null, cond, lora = separately(adapted, NULL, 0), separately(adapted, COND, 0), separately(adapted, COND, 1.0)
    expected = null + W * (cond - null) + KAPPA * (cond - lora)
    assert (lora - cond).abs().max() > 0.01  # or the test would compare nothing
    torch.testing.assert_close(steered_cfg(adapted, "same-prompt", KAPPA), expected, atol=2e-4, rtol=1e-3)


@pytest.mark.parametrize(("rule", "rows"), [("plain", 4), ("negative-half", 4), ("same-prompt", 6)])
def test_every_rule_takes_one_unet_call_a_step(adapted, rule, rows):
    calls = []
    counter = adapted.pipe.unet.conv_in.register_forward_hook(lambda _m, args, _o: calls.append(len(args[0])))
    drawing = adapted.plain.__class__(**(vars(adapted.plain) | {"rule": rule, "strength": 1.0}))
    sample_latents(adapted, JOBS, drawing, TRAINED)
    counter.remove()
    assert calls == [rows] * drawing.num_inference_steps


@pytest.mark.parametrize("rule", ["negative-half", "same-prompt"])
def test_at_strength_zero_every_rule_is_the_plain_base_to_the_bit(adapted, rule):
    plain = sample_latents(adapted, JOBS, adapted.plain, TRAINED)
    unsteered = adapted.plain.__class__(**(vars(adapted.plain) | {"rule": rule, "strength": 0.0}))
    assert torch.equal(sample_latents(adapted, JOBS, unsteered, TRAINED), plain)


def test_nothing_stays_behind_when_steering_ends_or_fails(adapted):
    before = steered_cfg(adapted, "plain", 0)
    with pytest.raises(KeyError), steered(adapted.pipe.unet, TRAINED, "same-prompt", KAPPA):
        raise KeyError
    assert torch.equal(steered_cfg(adapted, "plain", 0), before)
    detach(adapted.pipe, TRAINED)
    assert torch.equal(steered_cfg(adapted, "plain", 0), before)


def test_an_unknown_rule_is_refused(base):
    with pytest.raises(ValueError, match="unknown sampling rule"), steered(base.pipe.unet, TRAINED, "woof", 1.0):
        pass
