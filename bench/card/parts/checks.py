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
MOST_OF_EFFECT = 0.25
"""An error above this share of what the adapter does would hide a rule that does nothing."""
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
    alone = Alone(base, inputs)
    for rule in ("negative-half", "same-prompt", "woolf"):
        tell(f"the rule {rule}")
        yield follows_rule(alone, rule)
    unet.enable_adapters()
    tell("the gradient of all rows")
    whole = gradient(base, [inputs], parameters)
    for check in (same_gradient_in_passes, same_gradient_again):
        tell(check.__name__.replace("_", " "))
        yield check(base, inputs, parameters, whole)
    tell("NaN in a weight")
    yield nan_is_seen(base, inputs, parameters)
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


class Alone:
    """Rows in a separate call, by peft's own forward at some scale, in float32; each is computed once."""

    def __init__(self, base: Base, inputs: Inputs) -> None:
        self.base, self.inputs = base, inputs
        self._known: dict[tuple[int, float], Tensor] = {}

    def rows(self, rows: slice, scale: float) -> Tensor:
        """What the UNet predicts for these rows."""
        key = (rows.start, scale)
        if key not in self._known:
            self._known[key] = self._predict(rows, scale)
        return self._known[key]

    def _predict(self, rows: slice, scale: float) -> Tensor:
        unet = self.base.pipe.unet
        if scale:
            unet.enable_adapters()
            unet.set_adapters([TRAINED], [scale])
        found = predict(self.base, self.inputs.part(rows)).float()
        unet.set_adapters([TRAINED], [1.0])
        unet.disable_adapters()
        return found


@torch.no_grad()
def follows_rule(alone: Alone, rule: str) -> Finding:
    """One steered call gives what separate calls and plain arithmetic in float32 give."""
    base, null, prompt = alone.base, slice(0, 2), slice(2, 4)
    strength = KAPPA if rule == "same-prompt" else SCALE
    with steered(base.pipe.unet, TRAINED, rule, strength):
        found = predict(base, alone.inputs)
    plain = torch.cat([alone.rows(null, 0.0), alone.rows(prompt, 0.0)])
    if rule == "same-prompt":
        shift = KAPPA * (plain[prompt] - alone.rows(prompt, 1.0))
        wanted = torch.cat([plain[null] + shift, plain[prompt] + shift])
    else:
        of_the_prompt = alone.rows(prompt, SCALE if rule == "woolf" else 0.0)
        wanted = torch.cat([alone.rows(null, SCALE), of_the_prompt])
    return _close(f"the rule {rule}", base, found, wanted, apart(plain, wanted))


def same_gradient_in_passes(base: Base, inputs: Inputs, parameters: list[nn.Parameter], whole: Tensor) -> Finding:
    """The gradient of four rows is the sum of that of two and two."""
    parts = gradient(base, [inputs.part(slice(0, 2)), inputs.part(slice(2, 4))], parameters)
    return _close("the gradient in smaller passes", base, parts, whole)


def same_gradient_again(base: Base, inputs: Inputs, parameters: list[nn.Parameter], whole: Tensor) -> Finding:
    """The gradient is the same with checkpointing."""
    with checkpoint_blocks(base.pipe.unet, True):
        again = gradient(base, [inputs], parameters)
    return _close("the gradient with checkpointing", base, again, whole)


def gradient(base: Base, passes: list[Inputs], parameters: list[nn.Parameter]) -> Tensor:
    """The gradient of all parameters (N,), summed over the passes, which are computed one after the other."""
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


def apart(found: Tensor, wanted: Tensor) -> float:
    """Norm of the difference, relative to what is wanted."""
    return float((found.float() - wanted.float()).norm() / wanted.float().norm())


def _close(name: str, base: Base, found: Tensor, wanted: Tensor, effect: float | None = None) -> Finding:
    """Whether both agree up to rounding, and far better than they would without the `effect` that is looked for."""
    error, most = apart(found, wanted), TOLERANCE[base.dtype]
    words = f"relative error {error:.1e}, at most {most:g} ({str(base.dtype).removeprefix('torch.')})"
    if effect is None:
        return Finding(name, error <= most, words)
    holds = error <= min(most, effect * MOST_OF_EFFECT)
    return Finding(name, holds, f"{words}; without the adapter it would be {effect:.1e}")
