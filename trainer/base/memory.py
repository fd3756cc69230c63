"""Memory during a fit: idle encoders leave the device, batches shrink until they fit, advice when nothing fits."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch
from accelerate.utils.memory import clear_device_cache, should_reduce_batch_size
from diffusers import UNet2DConditionModel
from torch import nn

from store.errors import OutOfMemory
from store.settings import Settings
from trainer.base.free import memory_of
from trainer.base.model import Base, move_to
from trainer.base.quantization import BYTES_LEFT

Result = TypeVar("Result")

ROOM_SHARE = 0.8
"""A model may wait in this share of the machine's free memory."""


@contextmanager
def offload_encoders(base: Base) -> Iterator[None]:
    """Inside it, the VAE and the text encoders are on the CPU, so that the fit has the whole device."""
    pipe = base.pipe
    with move_to("cpu", pipe.vae, pipe.text_encoder, pipe.text_encoder_2):
        clear_device_cache()
        yield


def park(base: Base) -> bool:
    """Moves the model from a GPU into the machine's memory; False where it stays.

    It stays when it is on the CPU already, when it is quantised, because its weights then cannot move, and when the
    machine has no room for it.
    """
    modules, device = _modules(base), base.device
    size = sum(value.nbytes for module in modules for value in (*module.parameters(), *module.buffers()))
    is_fixed = device.type != "cuda" or base.settings.base_quantization != "none"
    if is_fixed or size > ROOM_SHARE * memory_of(torch.device("cpu")).free:
        return False
    for module in modules:
        module.to("cpu")
    clear_device_cache(garbage_collection=True)
    return True


def unpark(base: Base) -> None:
    """Moves a model back that `park` moved."""
    for module in _modules(base):
        module.to(base.device)


def _modules(base: Base) -> list[nn.Module]:
    """Everything of the base that is on its device."""
    pipes = [base.pipe, *([base.refiner.pipe] if base.refiner else [])]
    found = {id(part): part for pipe in pipes for part in pipe.components.values() if isinstance(part, nn.Module)}
    return list(found.values())


def halve_until_fits(work: Callable[[int], Result], rows: int) -> tuple[Result, int]:
    """The result of `work(rows)`, and the `rows` that fitted: halved each time memory runs out.

    Raises the library's own error when not even one row fits.
    """
    while True:
        try:
            return work(rows), rows
        except RuntimeError as error:
            if not should_reduce_batch_size(error) or rows <= 1:
                raise
        clear_device_cache(garbage_collection=True)
        rows = rows // 2


@contextmanager
def advise_on_memory(advice: Callable[[], list[str]]) -> Iterator[None]:
    """Turns a failed allocation into OutOfMemory with the advice."""
    try:
        yield
    except MemoryError as error:
        raise OutOfMemory("the machine's memory is full", advice()) from error
    except RuntimeError as error:
        if not should_reduce_batch_size(error):
            raise
        raise OutOfMemory(str(error).split(". ")[0].splitlines()[0][:200], advice()) from error


def memory_advice(unet: UNet2DConditionModel, parameters: list[nn.Parameter], settings: Settings) -> list[str]:
    """Settings that make a fit smaller and by how much, the mildest first. The sizes are computed, not measured."""
    own = {id(parameter) for parameter in parameters}
    linear = sum(m.weight.nbytes for m in unet.modules() if isinstance(m, nn.Linear) and id(m.weight) not in own)
    trained = sum(parameter.nbytes for parameter in parameters)
    advice = []
    if not settings.gradient_checkpointing:
        advice.append("NAYSAYER_GRADIENT_CHECKPOINTING=1 keeps each block's input instead of all its activations")
    if settings.base_quantization == "none":
        is_cuda = parameters[0].device.type == "cuda"
        name = "nf4" if is_cuda else "fp8"
        freed = linear * (1 - BYTES_LEFT[name] / unet.conv_in.weight.element_size())
        advice.append(f"NAYSAYER_BASE_QUANTIZATION={name} frees {_size(freed)} of the base")
    if settings.lora_rank > 4:
        advice.append(f"NAYSAYER_LORA_RANK={settings.lora_rank // 2} frees {_size(2 * trained)}")
    return [*advice, "pictures of three quarters of the side need 0.56 of the activations (NAYSAYER_WIDTH_PX)"]


def _size(count: float) -> str:
    """Bytes for people.

    >>> _size(3.1e9), _size(4.2e6)
    ('3.1 GB', '4 MB')
    """
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"


@contextmanager
def make_deterministic(is_wanted: bool) -> Iterator[None]:
    """Inside it, torch uses deterministic algorithms, and raises where it has none."""
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(is_wanted or before)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)


@contextmanager
def checkpoint_blocks(unet: UNet2DConditionModel, is_wanted: bool) -> Iterator[None]:
    """Inside it, the UNet keeps only each block's input and computes the rest again (Chen et al. 2016)."""
    if is_wanted:
        unet.enable_gradient_checkpointing()
    try:
        yield
    finally:
        if is_wanted:
            unet.disable_gradient_checkpointing()
