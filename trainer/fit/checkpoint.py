"""Checkpoints of a fit: a folder each, complete or absent, with a hash of what it holds, without pickle.

No state of a random generator is in them: batches, noise and timesteps depend only on the seed and the step number,
and every step begins by seeding the generators of Python, numpy and torch from these two.
"""

import json
import logging
import re
from pathlib import Path
from typing import Any, NamedTuple

from safetensors.torch import load, save
from torch import Tensor

from store.files import put_in_place, remove_folder, sha256_of

log = logging.getLogger(__name__)

TENSORS, NUMBERS, HASH = "state.safetensors", "state.json", "state.sha256"


class State(NamedTuple):
    """A fit after `step` steps. `learned` holds tensors, numbers and words, nested."""

    step: int
    curve: list[dict[str, float]]
    learned: dict[str, Any]


def save_checkpoint(folder: Path, state: State) -> Path:
    """Writes `step-<n>` in `folder`, then removes the others. Where it is."""
    final = folder / f"step-{state.step:06d}"
    if _read(final) is None:
        remove_folder(final)
        _write(folder / f".staging-{state.step:06d}", final, state)
    for other in _checkpoints(folder):
        if other != final:
            remove_folder(other)
    return final


def _write(staging: Path, final: Path, state: State) -> None:
    remove_folder(staging)
    staging.mkdir(parents=True)
    tensors: dict[str, Tensor] = {}
    content = {"step": state.step, "curve": state.curve, "learned": _without_tensors(state.learned, "", tensors)}
    parts = {TENSORS: save(tensors), NUMBERS: json.dumps(content).encode()}
    for name, data in (parts | {HASH: _hash(parts).encode()}).items():
        (staging / name).write_bytes(data)
    put_in_place(staging, final)


def newest_checkpoint(folder: Path) -> State | None:
    """The last checkpoint in `folder` that is complete and unchanged, or None."""
    for path in reversed(_checkpoints(folder)):
        if (state := _read(path)) is not None:
            return state
        log.warning("the checkpoint %s is damaged or incomplete, so the fit starts again without it", path)
    return None


def _checkpoints(folder: Path) -> list[Path]:
    """The folders of checkpoints, in the order of their steps."""
    found = [path for path in folder.glob("step-*") if re.fullmatch(r"step-\d{6,}", path.name) and path.is_dir()]
    return sorted(found, key=lambda path: int(path.name.removeprefix("step-")))


def _read(path: Path) -> State | None:
    """The checkpoint in a folder; None when a file is missing, cannot be read or has changed."""
    try:
        parts = {name: (path / name).read_bytes() for name in (TENSORS, NUMBERS)}
        is_whole = (path / HASH).read_bytes() == _hash(parts).encode()
    except OSError:
        return None
    if not is_whole:
        return None
    content = json.loads(parts[NUMBERS])
    return State(content["step"], content["curve"], _with_tensors(content["learned"], load(parts[TENSORS])))


def _hash(parts: dict[str, bytes]) -> str:
    return sha256_of("\n".join(sha256_of(parts[name]) for name in (TENSORS, NUMBERS)).encode())


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
