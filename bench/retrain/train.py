"""A whole retrain beside diffusers' own script: same base, pictures, rank, batch, steps and precision.

The sides take turns. This process stays small and never loads torch, because the kernel starts a child's peak memory at
its parent's.
"""

import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from bench.retrain.peers import Plan, diffusers_options, loop_seconds
from store.errors import BadRequest
from store.process.child import with_this_process

SCRIPT = Path("examples/text_to_image/train_text_to_image_lora_sdxl.py")
FULL_SIZE = "full-size-random"
RESULT = re.compile(r"^naysayer-bench (\{.*\})$", re.MULTILINE)
PEAKS = {"H100": 989.0, "H200": 989.0, "A100": 312.0, "L40S": 362.0, "4090": 165.0}
"""Dense bf16 TFLOP/s of a card's matrix units, float32 accumulation, from the makers' data sheets."""


class Ended(NamedTuple):
    """How a child process ended: what it printed, its wall-clock and processor seconds, its peak memory."""

    output: str
    wall_s: float
    cpu_s: float
    peak_mb: float


def bench_train(
    plan: Plan, script: Path | None, python: Path = Path(sys.executable), folder: Path | None = None
) -> dict[str, Any]:
    """The record: `cpu` or `gpu` with `naysayer`, `diffusers` (None without a script) and `ratios`, the other None."""
    with tempfile.TemporaryDirectory(prefix="naysayer-bench-", dir=folder) as made:
        bench = _Bench(plan, Path(made), script, python)
        found = bench.run()
    kind = "gpu" if plan.device.startswith("cuda") else "cpu"
    return {"plan": asdict(plan), "cpu": None, "gpu": None, kind: found, "kohya": None}


def find_script(named: Path | None) -> Path | None:
    """The named script, or the one in an installed diffusers checkout. Raises BadRequest if the named is missing."""
    if named is not None:
        if not named.is_file():
            raise BadRequest(f"{named} is not a file; give the path of diffusers' {SCRIPT}")
        return named.resolve()
    found = find_spec("diffusers")
    checkout = Path(found.origin).parents[2] / SCRIPT if found and found.origin else None
    return checkout if checkout is not None and checkout.is_file() else None


class _Bench:
    """One measurement: one pool, on which both sides take turns."""

    def __init__(self, plan: Plan, folder: Path, script: Path | None, python: Path) -> None:
        self.plan, self.folder, self.script, self.python = plan, folder, script, python

    def run(self) -> dict[str, Any]:
        made = result_of(self._child("pool", []))
        rows: dict[str, list[dict[str, float]]] = {"naysayer": [], "diffusers": []}
        for turn in range(self.plan.rounds):
            for side in self._sides(turn):
                rows[side].append(
                    self._ours(turn, made["base"]) if side == "naysayer" else self._theirs(turn, made["base"])
                )
        losses = result_of(self._child("loss", [made["base"]]))
        found: dict[str, Any] = {"base_held_out_loss": losses["base"], "device": made["device"]}
        for side, runs in rows.items():
            runs = [run | {"held_out_loss": losses[f"{side}-{turn}"]} for turn, run in enumerate(runs)]
            found[side] = {"runs": runs, **_medians(runs)} if runs else None
        found["ratios"] = _ratios(found["naysayer"], found["diffusers"]) if rows["diffusers"] else None
        found["bf16_peak_share"] = self._peak_share(losses["tflop_per_image"], found["naysayer"], made["device"])
        return found

    def _sides(self, turn: int) -> Sequence[str]:
        """Both sides; the other one goes first in the next turn."""
        sides = ("naysayer", "diffusers") if self.script else ("naysayer",)
        return sides if turn % 2 == 0 else sides[::-1]

    def _ours(self, turn: int, base: str) -> dict[str, float]:
        ended = self._child("ours", [base, str(turn)])
        result = result_of(ended)
        return self._row(ended, result["fit_s"], result.get("device_peak_mb"))

    def _theirs(self, turn: int, base: str) -> dict[str, float]:
        output = self.folder / f"theirs-{turn}"
        ended = run_child(
            [
                str(self.python),
                "-m",
                "bench.retrain.run_script",
                str(self.script),
                *diffusers_options(self.plan, self.folder, base, output, turn),
            ]
        )
        (output / "pytorch_lora_weights.safetensors").rename(self.folder / f"diffusers-{turn}.safetensors")
        return self._row(ended, loop_seconds(ended.output), result_of(ended).get("device_peak_mb"))

    def _row(self, ended: Ended, fit_s: float, device_peak_mb: float | None) -> dict[str, float]:
        """The figures of a run. `prepare_s` is all but the steps: loading, encoding, writing and checking the file."""
        images = self.plan.batch * self.plan.steps
        return {
            "images_per_s": images / ended.wall_s,
            "images_per_cpu_s": images / ended.cpu_s,
            "steps_per_s": self.plan.steps / fit_s,
            "prepare_s": ended.wall_s - fit_s,
            "wall_s": ended.wall_s,
            "cpu_s": ended.cpu_s,
            "peak_mb": ended.peak_mb if device_peak_mb is None else device_peak_mb,
            "host_peak_mb": ended.peak_mb,
        }

    def _peak_share(self, tflop_per_image: float, ours: dict[str, float], device: str) -> float | None:
        """The share of the card's bf16 matrix peak that our steps reach; None for a card that PEAKS does not list."""
        peak = next((tflops for name, tflops in PEAKS.items() if name in device), None)
        return round(tflop_per_image * self.plan.batch * ours["steps_per_s"] / peak, 3) if peak else None

    def _child(self, task: str, words: Sequence[str]) -> Ended:
        plan = json.dumps(asdict(self.plan))
        return run_child([sys.executable, "-m", "bench.retrain.train_child", task, str(self.folder), plan, *words])


def run_child(command: Sequence[str]) -> Ended:
    """Runs a command to its end; its peak memory is what the kernel counted. Raises BadRequest if it fails."""
    home = {"PYTHONPATH": str(Path(__file__).parents[2]), "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    with tempfile.TemporaryFile("w+") as output:
        began = time.monotonic()
        process = subprocess.Popen(
            with_this_process(command), stdout=output, stderr=subprocess.STDOUT, env=os.environ | home
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        wall_s = time.monotonic() - began
        output.seek(0)
        printed = output.read()
    if process.returncode:
        raise BadRequest(
            f"`{shlex.join(command)[:300]}` ended with {process.returncode}; its last output: {printed[-1500:]}"
        )
    return Ended(printed, wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def result_of(ended: Ended) -> dict[str, Any]:
    """The JSON object that one of our child processes printed last."""
    return json.loads(RESULT.findall(ended.output)[-1])


def _medians(runs: Sequence[dict[str, float]]) -> dict[str, float]:
    return {name: float(f"{median(run[name] for run in runs):.6g}") for name in runs[0]}


def _ratios(ours: dict[str, float], theirs: dict[str, float]) -> dict[str, float]:
    """Ours divided by theirs: above 1 is faster, below 1 takes less memory or has less loss."""
    names = ("images_per_s", "images_per_cpu_s", "steps_per_s", "peak_mb", "held_out_loss")
    return {name: float(f"{ours[name] / theirs[name]:.4g}") for name in names}


def table(found: dict[str, Any]) -> str:
    """The medians of the rounds as a table."""
    lines = ["                     pictures/s  per CPU second  steps/s  other time   peak memory  held-out loss"]
    rows = found["cpu"] or found["gpu"]
    for side in ("naysayer", "diffusers"):
        row = rows[side]
        if row is None:
            lines.append(f"{side:<22} not measured: found no script; give --diffusers-script")
            continue
        lines.append(
            f"{side:<22} {row['images_per_s']:8.1f}  {row['images_per_cpu_s']:14.1f}  {row['steps_per_s']:7.2f}  "
            f"{row['prepare_s']:9.1f} s  {row['peak_mb']:8.0f} MB  {row['held_out_loss']:13.5f}"
        )
    if rows["ratios"]:
        lines.append("ours over theirs       " + ", ".join(f"{name} {value}" for name, value in rows["ratios"].items()))
    lines.append(f"base without a LoRA: held-out loss {rows['base_held_out_loss']:.5f}")
    return "\n".join(lines)
