"""The version that a new one comes after: where a warm start begins, and what drift is measured from."""

from typing import NamedTuple

from safetensors.torch import load_file
from sqlalchemy import Engine
from torch import Tensor

from feedback.retrain.manifest import load_manifest
from feedback.versions import champion, get_version
from store.errors import RetrainError
from store.layout import Layout
from store.settings import Settings
from trainer.lora.tensors import DIFFUSERS_FILE


class Parent(NamedTuple):
    """A version's adapter (peft's names, alpha equal to the rank) and the ids of the images that trained it."""

    number: int
    sha256: str
    weights: dict[str, Tensor]
    known: frozenset[int]


def find_parent(engine: Engine, layout: Layout, number: int | None = None) -> Parent | None:
    """The champion, or the version of that number; None where that is the plain base."""
    version = champion(engine) if number is None else get_version(engine, number)
    if version.sha256 is None:
        return None
    weights = load_file(layout.version_folder(version.sha256) / DIFFUSERS_FILE)
    items = load_manifest(engine, version.manifest_id).items if version.manifest_id else ()
    named = {name.removeprefix("unet."): tensor.float() for name, tensor in weights.items()}
    return Parent(version.number, version.sha256, named, frozenset(item.image_id for item in items))


def begin_with(parent: Parent, fresh: dict[str, Tensor], settings: Settings) -> None:
    """Copies the parent's weights into a fresh adapter. Raises RetrainError when they do not fit it."""
    own = {name: tuple(tensor.shape) for name, tensor in fresh.items()}
    if {name: tuple(tensor.shape) for name, tensor in parent.weights.items()} != own:
        text = " and the text encoders" if settings.lora_text_encoders else ""
        raise RetrainError(
            f"v{parent.number} has other layers or another rank than a LoRA of rank {settings.lora_rank} on "
            f"{settings.layers_used} layers{text}, so a warm start cannot go on from it; set NAYSAYER_WARM_START=0, or "
            "NAYSAYER_LORA_RANK, NAYSAYER_LORA_LAYERS and NAYSAYER_LORA_TEXT_ENCODERS as that version had them"
        )
    for name, tensor in fresh.items():
        tensor.data.copy_(parent.weights[name])


def drift(weights: dict[str, Tensor], parent: dict[str, Tensor]) -> float:
    """How far the adapter's change of the base is from the parent's: |D - P| / |P|, Frobenius over all layers.

    A layer that one of them lacks counts as no change. Computed from the factors, never from the full matrices:
    <BA, B'A'> = sum(BᵀB' * AA'ᵀ).
    """
    distance = _inner(weights, weights) - 2 * _inner(weights, parent) + _inner(parent, parent)
    return float(max(0.0, distance) / _inner(parent, parent)) ** 0.5


def _inner(first: dict[str, Tensor], second: dict[str, Tensor]) -> float:
    total = 0.0
    for name in first.keys() & second.keys():
        if not name.endswith(".lora_A.weight"):
            continue
        up = name.replace(".lora_A.", ".lora_B.")
        downs = [side[name].flatten(1).double() for side in (first, second)]
        ups = [side[up].flatten(1).double() for side in (first, second)]
        total += float(((ups[0].T @ ups[1]) * (downs[0] @ downs[1].T)).sum())
    return total
