"""Is what this card computes right? Each check compares with a second way to the same numbers.

They take any base, so that the built-in model runs them in seconds and a full-size SDXL of random weights on a card.
Raises nothing: a check is a `Finding`.

Shape suffixes: R rows of a UNet call.
"""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from store.errors import BadExport
from trainer.base.memory import checkpoint_blocks
from trainer.base.model import Base
from trainer.lora.formats import DIFFUSERS_FILE, KOHYA_FILE, diffusers_layout, kohya_layout, safetensors_bytes
from trainer.lora.tensors import TRAINED, add_fresh, round_to_half, trained_tensors
from trainer.retrain.reloading import check_trained
from trainer.sample.guidance import steered

KAPPA, SCALE = 2.0, 0.7
TOLERANCE = {torch.float32: 1e-3, torch.bfloat16: 0.05, torch.float16: 0.02}
"""Relative error that the rounding of a type may leave in a prediction."""
RANK = 4


class Finding(NamedTuple):
    """A check's name, whether it holds, and what was found."""

    name: str
    holds: bool
    words: str


class Inputs(NamedTuple):
    """What a UNet call takes, for four rows: null and prompt of two pictures."""

    latents_RCHW: Tensor
    text_RLD: Tensor
    pooled_RP: Tensor
    time_ids_R6: Tensor

    def part(self, rows: slice) -> "Inputs":
        """Some of its rows."""
        return Inputs(*(tensor[rows] for tensor in self))


def correctness(base: Base, side_px: int, tell: Callable[[str], None] = lambda name: None) -> Iterator[Finding]:
    """Every check that needs no store, one by one; `tell` is called before each. Leaves the base without an adapter."""
    unet = base.pipe.unet
    parameters = _adapt(unet, base.device)
    inputs = inputs_of(base, side_px)
    for rule in ("negative-half", "same-prompt", "woolf"):
        tell(f"the rule {rule}")
        yield follows_rule(base, inputs, rule)
    unet.enable_adapters()
    for check in (same_gradient_in_passes, same_gradient_again, nan_is_seen):
        tell(check.__name__.replace("_", " "))
        yield check(base, inputs, parameters)
    tell("both files reload")
    yield files_reload(base, parameters)


def _adapt(unet: Any, device: torch.device) -> list[nn.Parameter]:
    """A fresh adapter with an effect, which is off."""
    parameters = add_fresh(unet, RANK, "attention", 0)
    random = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in parameters:
            parameter.add_((torch.randn(parameter.shape, generator=random) * 0.05).to(device))
    round_to_half(parameters)
    unet.disable_adapters()
    return parameters


def inputs_of(base: Base, side_px: int, count: int = 4) -> Inputs:
    """Random inputs of so many rows, the same on every device; the second half repeats the latents of the first."""
    random, config = torch.Generator().manual_seed(3), base.pipe.unet.config
    side = side_px // base.pipe.vae_scale_factor
    pooled = config.projection_class_embeddings_input_dim - 6 * config.addition_time_embed_dim

    def rows(*shape: int) -> Tensor:
        return torch.randn((count, *shape), generator=random).to(base.device, base.dtype)

    latents = rows(config.in_channels, side, side)
    latents = torch.cat([latents[: -(-count // 2)], latents[: count // 2]])
    sizes = torch.tensor([[side_px, side_px, 0, 0, side_px, side_px]] * count).to(base.device, base.dtype)
    return Inputs(latents, rows(77, config.cross_attention_dim), rows(pooled), sizes)


def predict(base: Base, inputs: Inputs) -> Tensor:
    """What the UNet predicts at timestep 601, as the stock pipeline calls it."""
    found: Tensor = base.pipe.unet(
        inputs.latents_RCHW,
        torch.tensor(601, device=base.device),
        encoder_hidden_states=inputs.text_RLD,
        added_cond_kwargs={"text_embeds": inputs.pooled_RP, "time_ids": inputs.time_ids_R6},
        return_dict=False,
    )[0]
    return found


@torch.no_grad()
def follows_rule(base: Base, inputs: Inputs, rule: str) -> Finding:
    """One steered call gives what separate calls and plain arithmetic in float32 give."""
    null, prompt = slice(0, 2), slice(2, 4)
    strength = KAPPA if rule == "same-prompt" else SCALE
    with steered(base.pipe.unet, TRAINED, rule, strength):
        found = predict(base, inputs)
    if rule == "same-prompt":
        plain = torch.cat([_alone(base, inputs, null, 0.0), _alone(base, inputs, prompt, 0.0)])
        shift = KAPPA * (plain[prompt] - _alone(base, inputs, prompt, 1.0))
        wanted = torch.cat([plain[null] + shift, plain[prompt] + shift])
    else:
        of_the_prompt = _alone(base, inputs, prompt, SCALE if rule == "woolf" else 0.0)
        wanted = torch.cat([_alone(base, inputs, null, SCALE), of_the_prompt])
    return _close(f"the rule {rule}", base, found, wanted)


def _alone(base: Base, inputs: Inputs, rows: slice, scale: float) -> Tensor:
    """Some rows in a call of their own, by peft's own forward at that scale, in float32."""
    unet = base.pipe.unet
    if scale:
        unet.enable_adapters()
        unet.set_adapters([TRAINED], [scale])
    found = predict(base, inputs.part(rows)).float()
    unet.set_adapters([TRAINED], [1.0])
    unet.disable_adapters()
    return found


def same_gradient_in_passes(base: Base, inputs: Inputs, parameters: list[nn.Parameter]) -> Finding:
    """The gradient of four rows is the sum of that of two and two."""
    whole = _gradient(base, [inputs], parameters)
    parts = _gradient(base, [inputs.part(slice(0, 2)), inputs.part(slice(2, 4))], parameters)
    return _close("the gradient in smaller passes", base, parts, whole)


def same_gradient_again(base: Base, inputs: Inputs, parameters: list[nn.Parameter]) -> Finding:
    """The gradient is the same with checkpointing."""
    kept = _gradient(base, [inputs], parameters)
    with checkpoint_blocks(base.pipe.unet, True):
        again = _gradient(base, [inputs], parameters)
    return _close("the gradient with checkpointing", base, again, kept)


def _gradient(base: Base, passes: list[Inputs], parameters: list[nn.Parameter]) -> Tensor:
    half = base.dtype if base.dtype != torch.float32 else None
    for part in passes:
        with torch.autocast(base.device.type, half, enabled=half is not None):
            predicted = predict(base, part)
        (predicted.float() - 1.0).pow(2).sum().backward()
    found = torch.cat([parameter.grad.flatten() for parameter in parameters if parameter.grad is not None])
    for parameter in parameters:
        parameter.grad = None
    return found


def nan_is_seen(base: Base, inputs: Inputs, parameters: list[nn.Parameter]) -> Finding:
    """A weight that is NaN makes the prediction NaN, which a fit refuses; no kernel hides it."""
    before = parameters[0].detach().clone()
    with torch.no_grad():
        parameters[0].fill_(torch.nan)
        is_seen = bool(torch.isnan(predict(base, inputs)).any())
        parameters[0].copy_(before)
    return Finding(
        "NaN in a weight is seen", is_seen, "the prediction is NaN" if is_seen else "the prediction is finite"
    )


def files_reload(base: Base, parameters: list[nn.Parameter]) -> Finding:
    """Both files of a version, written and loaded again, give the network that was trained; takes the adapter off."""
    weights = {name: tensor.detach().cpu() for name, tensor in trained_tensors(base.pipe.unet).items()}
    with tempfile.TemporaryDirectory(prefix="naysayer-bench-") as folder:
        for name, layout in ((DIFFUSERS_FILE, diffusers_layout(weights)), (KOHYA_FILE, kohya_layout(weights))):
            (Path(folder) / name).write_bytes(safetensors_bytes(layout, {"format": "pt"}))
        try:
            check_trained(base, Path(folder))
        except BadExport as error:
            return Finding("both files reload", False, str(error))
    return Finding("both files reload", True, f"{len(weights)} tensors in either layout")


def _close(name: str, base: Base, found: Tensor, wanted: Tensor) -> Finding:
    error = float((found.float() - wanted.float()).norm() / wanted.float().norm())
    most = TOLERANCE[base.dtype]
    return Finding(name, error <= most, f"relative error {error:.1e}, at most {most:g} ({base.dtype})")
