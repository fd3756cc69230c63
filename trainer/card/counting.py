"""Bytes that a network's work takes, counted on the meta device: shapes are computed, nothing is allocated.

Every tensor that an operation makes counts from then until it is released, in the forward and the backward pass, so the
peak includes what only lives for a moment. Not counted: what kernels and the allocator need for themselves.
"""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any
from weakref import finalize

import torch
from diffusers import UNet2DConditionModel
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.checkpoint import checkpoint

BLOCK = 512
"""The allocator of a GPU rounds to this."""
IN_HALF = (functional.linear, functional.conv2d, torch.matmul, torch.bmm, torch.baddbmm)
IN_FLOAT = (functional.group_norm, functional.layer_norm, functional.softmax, torch.softmax)
"""What autocast computes in 16 and in 32 bits on CUDA. Source: PyTorch's "CUDA Op-Specific Behavior"."""


class Peak(TorchDispatchMode):
    """Counts the bytes of all storages made while it is on: `now`, and the most there were, `most`.

    Those of the tensors `before` count for nothing.
    """

    def __init__(self, before: Iterable[Tensor]) -> None:
        super().__init__()
        self.now = self.most = 0
        self._sizes = {tensor.untyped_storage()._cdata: 0 for tensor in before}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(out):
            if isinstance(tensor, Tensor):
                self._note(tensor.untyped_storage())
        return out

    def _note(self, storage: torch.UntypedStorage) -> None:
        if (key := storage._cdata) in self._sizes:
            return
        self._sizes[key] = -(-storage.nbytes() // BLOCK) * BLOCK
        self.now += self._sizes[key]
        self.most = max(self.most, self.now)
        finalize(storage, self._release, key)

    def _release(self, key: int) -> None:
        self.now -= self._sizes.pop(key, 0)


class AsOnACard(TorchFunctionMode):
    """On the meta device, attention keeps no matrix, as in fused kernels, and `half` is what autocast computes in."""

    def __init__(self, half: torch.dtype | None) -> None:
        super().__init__()
        self.half = half

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        is_attention = func is functional.scaled_dot_product_attention
        if self.half and (is_attention or func in IN_HALF):
            args, kwargs = _cast(args, self.half), _cast(kwargs, self.half)
        elif self.half and func in IN_FLOAT:
            args, kwargs = _cast(args, torch.float32), _cast(kwargs, torch.float32)
        if is_attention:
            query, key, value = (args + tuple(kwargs[n] for n in ("query", "key", "value") if n in kwargs))[:3]
            return torch.ops.aten._scaled_dot_product_flash_attention(query, key, value)[0]
        return func(*args, **kwargs)


def _cast(values: Any, dtype: torch.dtype) -> Any:
    return tree_map(lambda v: v.to(dtype) if isinstance(v, Tensor) and v.is_floating_point() else v, values)


def keep_blocks(unet: UNet2DConditionModel, half: torch.dtype | None) -> None:
    """Turns gradient checkpointing on such that what is computed again is counted too.

    A backward pass runs without the function mode that was on when it was called.
    """

    def again(module: nn.Module, *args: Any) -> Any:
        context = partial(_two_contexts, half)
        return checkpoint(module.__call__, *args, use_reentrant=False, context_fn=context)

    unet.enable_gradient_checkpointing(again)


def _two_contexts(half: torch.dtype | None) -> tuple[AbstractContextManager[Any], AbstractContextManager[Any]]:
    return nullcontext(), AsOnACard(half)


def peak_of(work: Callable[[], object], network: nn.Module, half: torch.dtype | None = None) -> int:
    """The most bytes that the tensors made by `work` take at once, besides the network's own.

    `half` is what autocast computes in, as a fit does; None: everything is computed in its own type.
    """
    with AsOnACard(half), Peak([*network.parameters(), *network.buffers()]) as peak:
        work()
    return peak.most
