"""An adapter on some rows of a UNet call: a contiguous part of the batch uses the LoRA, the others only the base.

Two exact forms, one call each. Merged: the part's rows are multiplied with a copy W + s BA of the weights, so the work
is that of one product over all rows; it needs memory for the copies. Low-rank: every row is multiplied with W, and s BA
is added to the part's; it needs no copy and two small products a layer more.

The keys and values of the text are the same at every step of a drawing, so they are computed only at the first step.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

import torch
from peft.tuners.lora import LoraLayer
from torch import Tensor, nn
from torch.nn import functional

Forward = Callable[..., Any]
LastResults = dict[Callable[[Tensor], Tensor], tuple[Tensor, Tensor]]
"""By function: what it was given last, and what came of it."""
OF_THE_TEXT = ("attn2.to_k", "attn2.to_v")
MOST_OF_FREE = 0.25
"""Merged copies may take this share of a GPU's free memory; the pictures need the rest. On 24 GB half of it leaves too
little to decode the eight pictures that are drawn at once there."""
MOST_ELSEWHERE = 2**28
"""Bytes of weights that have merged copies elsewhere. They save time on small layers; on wide ones the low-rank
products are a few per cent of the work, and copies of a full-size UNet would take twice its memory."""


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


EVERY_ROW = Part(0, 1)


def adapted_layers(network: nn.Module, name: str) -> dict[str, Any]:
    """The layers that the adapter `name` acts on, by their path."""
    return {p: layer for p, layer in network.named_modules() if isinstance(layer, LoraLayer) and name in layer.lora_A}


class Adapter(NamedTuple):
    """A LoRA by its name, and the scale it is applied at."""

    name: str
    scale: float


def make_forwards(
    network: nn.Module, adapter: Adapter, part: Part, kept: LastResults | None, *, is_merged: bool | None = None
) -> list[tuple[nn.Module, Forward]]:
    """For each adapted layer the forward that applies the adapter to the part's rows.

    Merged where the weights are plain and their copies pay (unless `is_merged` decides), else low-rank; a gradient
    reaches the adapter only through the low-rank form on every row. What depends only on the text is put into `kept`,
    unless that is None.
    peft's own switch stays off.
    """
    layers = adapted_layers(network, adapter.name)
    fits = copies_fit(list(layers.values())) if is_merged is None else is_merged
    changed = []
    for path, layer in layers.items():
        form = _merged if fits and _is_plain(layer) else _low_rank
        forward = form(layer, adapter.name, part, adapter.scale)
        if kept is not None and path.endswith(OF_THE_TEXT):
            forward = cache_last(forward, kept)
        changed.append((layer, forward))
    return changed


@contextmanager
def swap_forwards(changed: Iterable[tuple[nn.Module, Forward]]) -> Iterator[None]:
    """Inside it, each of these layers uses its new forward."""
    with ExitStack() as undo:
        for layer, forward in changed:
            undo.callback(_put_back, layer, layer.__dict__.get("forward"))
            layer.__dict__["forward"] = forward  # found before the class's own
        yield


def _put_back(layer: nn.Module, forward: Forward | None) -> None:
    if forward is None:
        del layer.__dict__["forward"]
    else:
        layer.__dict__["forward"] = forward


def cache_last(function: Callable[[Tensor], Tensor], kept: LastResults) -> Forward:
    """The function, computed only when it is given another tensor than before: the text is one for all steps."""

    def remembered(x: Tensor, *_args: Any, **_kwargs: Any) -> Tensor:
        if function not in kept or kept[function][0] is not x:
            kept[function] = (x, function(x))
        return kept[function][1]

    return remembered


def copies_fit(layers: list[Any]) -> bool:
    """Whether a copy of these layers' weights pays: it leaves enough of a GPU's memory free; elsewhere it is small."""
    if not layers:
        return True
    weights = [layer.get_base_layer().weight for layer in layers]
    copied = sum(weight.numel() * weight.element_size() for weight in weights)
    if weights[0].device.type != "cuda":
        return copied <= MOST_ELSEWHERE
    free, _ = torch.cuda.mem_get_info(weights[0].device)
    return copied <= MOST_OF_FREE * free


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
    if isinstance(base, nn.Conv2d):
        return _convolution(base, merged, part)
    if part.of > 1 and base.weight.device.type == "cpu":
        return _products_in_one(base, merged, part)

    def linear(x: Tensor, *_args: Any, **_kwargs: Any) -> Tensor:
        # Written into one output, which spares a copy of it.
        flat = x.reshape(-1, x.shape[-1])
        found, tokens = x.new_empty(len(flat), len(merged)), len(flat) // len(x)
        for start, end, weight in _pieces(part, len(x), base.weight, merged):
            rows = slice(start * tokens, end * tokens)
            if base.bias is None:
                torch.mm(flat[rows], weight.t(), out=found[rows])
            else:
                torch.addmm(base.bias, flat[rows], weight.t(), out=found[rows])
        return found.view(*x.shape[:-1], -1)

    return linear


def _products_in_one(base: nn.Linear, merged: Tensor, part: Part) -> Forward:
    """All parts in one batched product, on a CPU as fast as a single one; costs a copy of the weights for each part."""
    weights = torch.stack([(merged if n == part.number else base.weight).t() for n in range(part.of)])

    def linear(x: Tensor, *_args: Any, **_kwargs: Any) -> Tensor:
        parts = x.reshape(part.of, -1, x.shape[-1])
        if base.bias is None:
            return torch.bmm(parts, weights).view(*x.shape[:-1], -1)
        return torch.baddbmm(base.bias, parts, weights).view(*x.shape[:-1], -1)

    return linear


def _convolution(base: nn.Conv2d, merged: Tensor, part: Part) -> Forward:
    how: Any = (base.bias, base.stride, base.padding, base.dilation, base.groups)

    def convolution(x: Tensor, *_args: Any, **_kwargs: Any) -> Tensor:
        pieces = _pieces(part, len(x), base.weight, merged)
        return torch.cat([functional.conv2d(x[start:end], weight, *how) for start, end, weight in pieces])

    return convolution


def _pieces(part: Part, rows: int, weight: Tensor, merged: Tensor) -> list[tuple[int, int, Tensor]]:
    """First row, row after the last, and weights of the rows before the part, of the part, and after it."""
    start, end = part.bounds(rows)
    cut = [(0, start, weight), (start, end, merged), (end, rows, weight)]
    return [piece for piece in cut if piece[0] < piece[1]]


def _low_rank(layer: Any, name: str, part: Part, scale: float) -> Forward:
    base, down, up = layer.get_base_layer(), layer.lora_A[name], layer.lora_B[name]

    def forward(x: Tensor, *_args: Any, **_kwargs: Any) -> Tensor:
        found = base(x)
        rows = slice(*part.bounds(len(x)))
        delta = up(down(x[rows].to(down.weight.dtype)))
        change = (delta * (layer.scaling[name] * scale)).to(found.dtype)
        if part == EVERY_ROW:
            return found + change
        found[rows] += change
        return found

    return forward
