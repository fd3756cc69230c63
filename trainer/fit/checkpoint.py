"""Checkpoints of a fit: a folder each, complete or absent, without pickle.

No state of a random generator is in them: batches, noise and timesteps depend only on the seed and the step number,
and every step begins by seeding the generators of Python, numpy and torch from these two.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

from safetensors.torch import load, save
from torch import Tensor

from store.files import put_in_place, remove_folder


class State(NamedTuple):
    """A fit after `step` steps. `learned` holds tensors, numbers and words, nested."""

    step: int
    curve: list[dict[str, float]]
    learned: dict[str, Any]


def save_checkpoint(folder: Path, state: State) -> None:
    """Writes `step-<n>` in `folder`, then removes the older ones."""
    final = folder / f"step-{state.step:06d}"
    if final.exists():
        return
    staging = folder / f".staging-{state.step:06d}"
    remove_folder(staging)
    staging.mkdir(parents=True)
    tensors: dict[str, Tensor] = {}
    content = {"step": state.step, "curve": state.curve, "learned": _without_tensors(state.learned, "", tensors)}
    (staging / "state.safetensors").write_bytes(save(tensors))
    (staging / "state.json").write_text(json.dumps(content))
    put_in_place(staging, final)
    for older in sorted(folder.glob("step-*"))[:-1]:
        remove_folder(older)


def newest_checkpoint(folder: Path) -> State | None:
    """The last complete checkpoint in `folder`, or None."""
    found = sorted(folder.glob("step-*"))
    if not found:
        return None
    content = json.loads((found[-1] / "state.json").read_text())
    tensors = load((found[-1] / "state.safetensors").read_bytes())
    return State(content["step"], content["curve"], _with_tensors(content["learned"], tensors))


def _without_tensors(value: Any, name: str, tensors: dict[str, Tensor]) -> Any:
    """The value as JSON can hold it; each tensor goes into `tensors`, and its name replaces it.

    >>> _without_tensors({1: (0.5, None)}, "", {})
    {'pairs': [[1, [0.5, None]]]}
    """
    if isinstance(value, Tensor):
        tensors[name] = value.detach().to("cpu", copy=True).contiguous()
        return {"tensor": name}
    if isinstance(value, dict):  # as pairs, because JSON would turn numbers that are keys into words
        return {"pairs": [[key, _without_tensors(inner, f"{name}.{key}", tensors)] for key, inner in value.items()]}
    if isinstance(value, list | tuple):
        return [_without_tensors(inner, f"{name}.{i}", tensors) for i, inner in enumerate(value)]
    return value


def _with_tensors(value: Any, tensors: dict[str, Tensor]) -> Any:
    if isinstance(value, list):
        return [_with_tensors(inner, tensors) for inner in value]
    if isinstance(value, dict):
        if "tensor" in value:
            return tensors[value["tensor"]]
        return {key: _with_tensors(inner, tensors) for key, inner in value["pairs"]}
    return value
