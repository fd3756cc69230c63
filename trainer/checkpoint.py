"""Checkpoints of a fit: a folder each, complete or absent, without pickle.

Noise, timesteps and batches depend on the seed and the step number alone, so weights, optimiser moments and the step
are the whole state.
"""

import json
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors.torch import load, save
from torch import Tensor

from store.files import put_in_place, remove_folder


class State(NamedTuple):
    """Where a fit stands: `step` steps are done; tensors by position of their parameter."""

    step: int
    curve: list[dict[str, float]]
    tensors: dict[str, Tensor]


def state_of(parameters: list[torch.nn.Parameter], optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Weights and optimiser moments as flat tensors named `<position>.<what>`."""
    tensors = {}
    for position, parameter in enumerate(parameters):
        tensors[f"{position}.weight"] = parameter.detach().cpu().contiguous().clone()
        for name, value in optimizer.state[parameter].items():
            tensors[f"{position}.{name}"] = torch.as_tensor(value).detach().cpu().contiguous().clone()
    return tensors


def restore(tensors: dict[str, Tensor], parameters: list[torch.nn.Parameter], optimizer: torch.optim.Optimizer) -> None:
    """Puts a saved state back into the parameters and the optimiser."""
    for position, parameter in enumerate(parameters):
        own = {name.split(".", 1)[1]: tensor for name, tensor in tensors.items() if name.startswith(f"{position}.")}
        parameter.data.copy_(own.pop("weight"))
        optimizer.state[parameter] = {
            name: value if name == "step" else value.to(parameter.device) for name, value in own.items()
        }


def save_checkpoint(folder: Path, state: State) -> None:
    """Writes `step-<n>` in `folder`, then removes the older ones."""
    final = folder / f"step-{state.step:06d}"
    if final.exists():
        return
    staging = folder / f".staging-{state.step:06d}"
    remove_folder(staging)
    staging.mkdir(parents=True)
    (staging / "state.safetensors").write_bytes(save(state.tensors))
    (staging / "state.json").write_text(json.dumps({"step": state.step, "curve": state.curve}))
    put_in_place(staging, final)
    for older in sorted(folder.glob("step-*"))[:-1]:
        remove_folder(older)


def newest_checkpoint(folder: Path) -> State | None:
    """The last complete checkpoint in `folder`, or None."""
    found = sorted(folder.glob("step-*"))
    if not found:
        return None
    about = json.loads((found[-1] / "state.json").read_text())
    return State(about["step"], about["curve"], load((found[-1] / "state.safetensors").read_bytes()))
