"""An adapter on some rows of a UNet call: a contiguous part of the batch meets the LoRA, the other rows the base alone.

Two exact forms, one call each. Merged: the part's rows are multiplied with a copy W + s BA of the weights, so the work
is that of one product over all rows; it needs memory for the copies. Low-rank: every row is multiplied with W, and s BA
is added to the part's; it needs no copy and two small products a layer more.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from peft.tuners.lora import LoraLayer
from torch import Tensor, nn
from torch.nn import functional

Forward = Callable[..., Tensor]
MOST_OF_FREE = 0.5
"""Merged copies may take this share of a GPU's free memory; the pictures need the rest."""


class Part(NamedTuple):
    """Part `number` of `of` equal contiguous parts of the rows."""

    number: int
    of: int

    def bounds(self, rows: int) -> tuple[int, int]:
        """First row of the part, and the first after it.

        >>> Part(2, 3).bounds(24)
        (16, 24)
        """
        return self.number * rows // self.of, (self.number + 1) * rows // self.of


def adapted_layers(unet: nn.Module, name: str) -> list[Any]:
    """The layers that the adapter `name` acts on."""
    return [layer for layer in unet.modules() if isinstance(layer, LoraLayer) and name in layer.lora_A]


def forwards(
    unet: nn.Module, name: str, part: Part, scale: float, *, is_merged: bool | None = None
) -> list[tuple[nn.Module, Forward]]:
    """For each adapted layer the forward that applies the adapter at `scale` to the part's rows; for sampling alone.

    Merged where the weights are plain and their copies fit (unless `is_merged` decides), else low-rank. peft's own
    switch stays off.
    """
    layers = adapted_layers(unet, name)
    fits = copies_fit(layers) if is_merged is None else is_merged
    return [
        (layer, _merged(layer, name, part, scale) if fits and _is_plain(layer) else _low_rank(layer, name, part, scale))
        for layer in layers
    ]


def copies_fit(layers: list[Any]) -> bool:
    """Whether a copy of these layers' weights leaves enough of a GPU's memory free; elsewhere it is taken to."""
    if not layers or layers[0].get_base_layer().weight.device.type != "cuda":
        return True
    weights = [layer.get_base_layer().weight for layer in layers]
    free, _ = torch.cuda.mem_get_info(weights[0].device)
    return sum(weight.numel() * weight.element_size() for weight in weights) <= MOST_OF_FREE * free


def _is_plain(layer: Any) -> bool:
    base = layer.get_base_layer()
    return type(base) in (nn.Linear, nn.Conv2d) and type(base.weight.data) is Tensor  # else it is quantised


@torch.no_grad()
def merged_weight(layer: Any, name: str, scale: float) -> Tensor:
    """W + s (alpha / rank) BA in the base's dtype, added in float32."""
    weight = layer.get_base_layer().weight
    delta = layer.get_delta_weight(name).to(weight.device, torch.float32)
    return (weight.float() + scale * delta).to(weight.dtype)


def _merged(layer: Any, name: str, part: Part, scale: float) -> Forward:
    base, merged = layer.get_base_layer(), merged_weight(layer, name, scale)

    def pieces(rows: int) -> list[tuple[int, int, Tensor]]:
        start, end = part.bounds(rows)
        cut = [(0, start, base.weight), (start, end, merged), (end, rows, base.weight)]
        return [piece for piece in cut if piece[0] < piece[1]]

    def linear(x: Tensor, *_args: Any, **_kwargs: Any) -> Tensor:
        # Written into one output, which spares a copy of it.
        flat = x.reshape(-1, x.shape[-1])
        found, tokens = x.new_empty(len(flat), len(merged)), len(flat) // len(x)
        for start, end, weight in pieces(len(x)):
            rows = slice(start * tokens, end * tokens)
            if base.bias is None:
                torch.mm(flat[rows], weight.t(), out=found[rows])
            else:
                torch.addmm(base.bias, flat[rows], weight.t(), out=found[rows])
        return found.view(*x.shape[:-1], -1)

    def convolution(x: Tensor, *_args: Any, **_kwargs: Any) -> Tensor:
        how = (base.bias, base.stride, base.padding, base.dilation, base.groups)
        return torch.cat([functional.conv2d(x[start:end], weight, *how) for start, end, weight in pieces(len(x))])

    return convolution if isinstance(base, nn.Conv2d) else linear


def _low_rank(layer: Any, name: str, part: Part, scale: float) -> Forward:
    base, down, up = layer.get_base_layer(), layer.lora_A[name], layer.lora_B[name]

    def forward(x: Tensor, *_args: Any, **_kwargs: Any) -> Tensor:
        found = base(x)
        rows = slice(*part.bounds(len(x)))
        delta = up(down(x[rows].to(down.weight.dtype)))
        found[rows] += (delta * (layer.scaling[name] * scale)).to(found.dtype)
        return found

    return forward
