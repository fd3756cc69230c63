"""The sampling rules: where a version's LoRA stands in classifier-free guidance.

Shape suffixes: R rows of one UNet call, B pictures. The stock pipeline calls the UNet with R = 2B rows: the null
(or negative) prompt first, then the prompt, and combines them to  eps = null + w (cond - null).
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from peft.tuners.lora import LoraLayer
from torch import Tensor, nn


@contextmanager
def steered(unet: nn.Module, adapter_name: str, rule: str, strength: float) -> Iterator[None]:
    """While it lasts, every UNet call of the stock pipeline follows `rule`, still one batched call a step.

    `plain`: the base alone. `negative-half`: the LoRA at scale `strength` on the null rows (Diffusion-NPO, Wang et
    al. 2025). `same-prompt`: a third row with the LoRA and the same prompt, eps + strength (cond - lora), whose
    optimum is the policy of DiffusionNFT (Zheng et al. 2025). `woolf`: the LoRA at scale `strength` on every row; it
    steers through its trigger word, given as the negative prompt (Woolf 2023).
    """
    with ExitStack() as hooks:
        if rule == "negative-half" and strength:
            _adapt_rows(hooks, unet, adapter_name, part=0, parts=2, scale=strength)
        elif rule == "same-prompt" and strength:
            _adapt_rows(hooks, unet, adapter_name, part=2, parts=3, scale=1.0)
            _hook(hooks, unet.register_forward_pre_hook(_add_third_row, with_kwargs=True))
            _hook(hooks, unet.register_forward_hook(_fold_third_row(strength)))
        elif rule == "woolf" and strength:
            _adapt_rows(hooks, unet, adapter_name, part=0, parts=1, scale=strength)
        elif rule not in ("plain", "negative-half", "same-prompt", "woolf"):
            raise ValueError(f"unknown sampling rule {rule!r}")
        yield


def _adapt_rows(hooks: ExitStack, unet: nn.Module, name: str, *, part: int, parts: int, scale: float) -> None:
    """The adapter acts on the rows of one part alone: contiguous slices, no gather, and exact."""
    for layer in unet.modules():
        if isinstance(layer, LoraLayer) and name in layer.lora_A:
            _hook(hooks, layer.register_forward_hook(_delta_on(name, part, parts, scale)))


def _delta_on(name: str, part: int, parts: int, scale: float) -> Callable[..., Tensor]:
    def add_delta(layer: Any, args: tuple[Tensor, ...], output: Tensor) -> Tensor:
        rows = slice(part * len(output) // parts, (part + 1) * len(output) // parts)
        down, up = layer.lora_A[name], layer.lora_B[name]
        delta = up(down(args[0][rows].to(down.weight.dtype)))
        output[rows] += (delta * (layer.scaling[name] * scale)).to(output.dtype)
        return output

    return add_delta


def _add_third_row(unet: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """2B rows become 3B: null, prompt, and the prompt once more for the LoRA."""
    added = {key: _with_second_half_again(value) for key, value in kwargs["added_cond_kwargs"].items()}
    hidden = _with_second_half_again(kwargs["encoder_hidden_states"])
    return (_with_second_half_again(args[0]), *args[1:]), kwargs | {
        "encoder_hidden_states": hidden,
        "added_cond_kwargs": added,
    }


def _fold_third_row(kappa: float) -> Callable[..., tuple[Tensor]]:
    def fold(unet: nn.Module, args: tuple[Any, ...], output: tuple[Tensor]) -> tuple[Tensor]:
        # The same shift on both halves passes through the pipeline's null + w (cond - null) unchanged.
        null, cond, lora = output[0].chunk(3)
        shift = kappa * (cond - lora)
        return (torch.cat([null + shift, cond + shift]),)

    return fold


def _with_second_half_again(rows: Tensor) -> Tensor:
    return torch.cat([rows, rows[len(rows) // 2 :]])


def _hook(hooks: ExitStack, handle: Any) -> None:
    hooks.callback(handle.remove)
