"""What preparing a retrain costs as the pool grows and the number of new rejects stays the same."""

import sys
import tempfile
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from bench.retrain.train import result_of, run_child

NEW = 40
"""New rejects in every retrain: as many as the built-in model needs for one."""


def bench_pool_size(sizes: Sequence[int], rounds: int, new: int = NEW) -> dict[str, Any]:
    """For each size, medians over the rounds: seconds to load, freeze and encode, and the peak memory."""
    with tempfile.TemporaryDirectory(prefix="naysayer-bench-") as made:
        folders = {size: Path(made) / str(size) for size in sizes}
        for size, folder in folders.items():
            _child("fill", folder, size, new)
        runs = [{size: _measured(folder) for size, folder in folders.items()} for _ in range(rounds)]
    rows = [{"pool": size, **_medians([turn[size] for turn in runs])} for size in sizes]
    return {"new_rejects": new, "rounds": rounds, "rows": rows, "tenfold": [_growth(*two) for two in pairwise(rows)]}


def _measured(folder: Path) -> dict[str, float]:
    ended = _child("prepare", folder, time.monotonic())
    return result_of(ended) | {"peak_mb": ended.peak_mb}


def _child(task: str, *words: object) -> Any:
    return run_child([sys.executable, "-m", "bench.retrain.pool_child", task, *(str(word) for word in words)])


def _medians(runs: Sequence[dict[str, float]]) -> dict[str, float]:
    return {name: round(median(run[name] for run in runs), 3) for name in runs[0]}


def _growth(small: dict[str, float], large: dict[str, float]) -> dict[str, float]:
    names = ("prepare_s", "prepare_cpu_s", "peak_mb")
    return {"from": small["pool"], "to": large["pool"]} | {name: round(large[name] / small[name], 3) for name in names}


def table(found: dict[str, Any]) -> str:
    """The rows as a Markdown table."""
    lines = [
        "| pool | load | freeze | encode | preparation | processor time | encoded | one batch | peak memory |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in found["rows"]:
        lines.append(
            f"| {row['pool']:,.0f} | {row['load_s']:.2f} s | {row['freeze_s']:.2f} s | {row['encode_s']:.2f} s "
            f"| {row['prepare_s']:.2f} s | {row['prepare_cpu_s']:.2f} s | {row['encoded']:.0f} "
            f"| {row['batch_ms']:.1f} ms | {row['peak_mb']:.0f} MB |"
        )
    return "\n".join(lines)


def plot(found: dict[str, Any], path: Path) -> None:
    """Preparation and peak memory over the size of the pool."""
    from matplotlib.figure import Figure

    rows = found["rows"]
    figure = Figure(figsize=(8, 3.2), layout="constrained")
    sizes = [row["pool"] for row in rows]
    shown = {"prepare_cpu_s": "Preparation, processor seconds", "peak_mb": "Peak memory, MB"}
    for axes, (name, title) in zip(figure.subplots(1, 2), shown.items(), strict=True):
        values = [row[name] for row in rows]
        axes.plot(sizes, values, "o-", color="#2563eb")
        axes.set(title=title, xlabel="pictures in the pool", xscale="log", ylim=(0, 1.2 * max(values)))
        axes.set_xticks(sizes, [f"{size:,.0f}" for size in sizes])
        axes.minorticks_off()
        axes.grid(axis="y", color="#e5e7eb")
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)
