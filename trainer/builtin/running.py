"""Shared by both trainings: the device, its half precision, the order of the data, the learning rate."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from math import cos, pi

import torch
import torch.distributed as group
from torch.nn.attention import SDPBackend, sdpa_kernel


def device_for() -> torch.device:
    """The GPU where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def autocast(device: torch.device) -> torch.autocast:
    """bfloat16 where the device is fast in it, else no change."""
    fast = device.type == "cuda" or torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return torch.autocast(device.type, torch.bfloat16, enabled=fast)


def attention(device: torch.device) -> AbstractContextManager[None]:
    """The plain attention kernel on a CPU, where the fused one's backward pass takes a third of a step."""
    return sdpa_kernel(SDPBackend.MATH) if device.type == "cpu" else nullcontext()


@contextmanager
def repeatable() -> Iterator[None]:
    """On a CPU the same seeds give the same bits inside; a GPU would need its own settings and more time."""
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(device_for().type == "cpu")
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)


def shuffled(count: int, batch: int, steps: int, seed: int) -> Iterator[torch.Tensor]:
    """`steps` batches of row numbers, every row once before any row twice."""
    generator = torch.Generator().manual_seed(seed)
    rows = torch.empty(0, dtype=torch.long)
    for _ in range(steps):
        if len(rows) < batch:
            rows = torch.cat([rows, torch.randperm(count, generator=generator)])
        yield rows[:batch]
        rows = rows[batch:]


def rank() -> int:
    """This process's number among those that train together; 0 when it is the only one."""
    return group.get_rank() if group.is_initialized() else 0


def own_share(rows: torch.Tensor) -> torch.Tensor:
    """This process's part of a batch: all of it when it is the only one."""
    return rows[rank() :: group.get_world_size()] if group.is_initialized() else rows


def average_gradients(parameters: Iterable[torch.nn.Parameter]) -> None:
    """The mean of every process's gradients, in place; with only one process they stay as they are."""
    if not group.is_initialized():
        return
    gradients = [p.grad for p in parameters if p.grad is not None]
    flat = torch.cat([g.flatten() for g in gradients])
    group.all_reduce(flat)
    flat /= group.get_world_size()
    for gradient, part in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
        gradient.copy_(part.view_as(gradient))


def cosine(steps: int, warmup: int) -> Callable[[int], float]:
    """The learning rate's factor at a step: a straight rise for `warmup` steps, then half a cosine down."""
    return lambda step: min((step + 1) / warmup, 0.5 + 0.5 * cos(pi * min(step / steps, 1)))
