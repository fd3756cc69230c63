"""The adapter on some rows of a UNet call, by weights with the LoRA merged in: exact, and no low-rank product a step.

The rows are cut in two or three contiguous parts; each part meets either W or W + sBA, so the work is that of one
product over all rows. The merged copies live as long as the context, and need as much memory as the adapted layers.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from peft.tuners.lora import LoraLayer
from torch import Tensor, nn
from torch.nn import functional


@contextmanager
def merged_rows(unet: nn.Module, name: str, *, part: int, parts: int, scale: float) -> Iterator[None]:
    """While it lasts, part `part` of `parts` of every call's rows sees the adapter `name` at `scale`, the rest none.

    For sampling alone: nothing can be trained through it.
    """
    layers = [layer for layer in unet.modules() if isinstance(layer, LoraLayer) and name in layer.lora_A]
    try:
        for layer in layers:
            layer.forward = _forward(layer, merged_weight(layer, name, scale), part, parts)
        yield
    finally:
        for layer in layers:
            layer.__dict__.pop("forward", None)


@torch.no_grad()
def merged_weight(layer: Any, name: str, scale: float) -> Tensor:
    """W + s (alpha / rank) BA in the base's dtype, added in float32."""
    weight = layer.get_base_layer().weight
    delta = layer.get_delta_weight(name).to(weight.device, torch.float32)
    return (weight.float() + scale * delta).to(weight.dtype)


def _forward(layer: Any, merged: Tensor, part: int, parts: int) -> Callable[..., Tensor]:
    base = layer.get_base_layer()

    def product(rows: Tensor, weight: Tensor) -> Tensor:
        if isinstance(base, nn.Conv2d):
            return functional.conv2d(rows, weight, base.bias, base.stride, base.padding, base.dilation, base.groups)
        return functional.linear(rows, weight, base.bias)

    def forward(x: Tensor, *_args: Any, **_kwargs: Any) -> Tensor:
        start, end = part * len(x) // parts, (part + 1) * len(x) // parts
        pieces = [(x[:start], base.weight), (x[start:end], merged), (x[end:], base.weight)]
        return torch.cat([product(rows, weight) for rows, weight in pieces if len(rows)])

    return forward
