"""The whole loop at SDXL's size, in memory that an ordinary machine has."""

import os
from pathlib import Path

import psutil
import pytest

from bench.retrain.full_size import write_full_size
from bench.retrain.whole_loop import Plan, load_once, phase_seconds, run_loop, weights_bytes
from trainer.base.weights import BUILTIN_FOLDER

NEEDED_GB = 16
LOAD_AT_MOST, RETRAIN_AT_MOST = 1.25, 1.6


def check_loop(folder: Path, model: Path) -> dict[str, float]:
    """Runs the loop, and looks at what it left; the peak of each command, in times the weights' bytes."""
    took = run_loop(folder, model, Plan(pictures=4, train_steps=2, draw_steps=2, sweep_pictures=4))
    assert list((folder / "data" / "versions").glob("*/pytorch_lora_weights.safetensors"))
    assert len(list((folder / "drawn").glob("*.png"))) == 1
    assert phase_seconds(folder / "data").keys() == {"load", "encoding", "fit", "strengths", "check", "publish"}
    return {name: one.peak_bytes / weights_bytes(model) for name, one in took.items()}


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_loop_of_the_bench_closes(tmp_path):
    """With the built-in model, whose weights are nothing beside the libraries."""
    check_loop(tmp_path, BUILTIN_FOLDER)


@pytest.mark.slow
@pytest.mark.full_size
@pytest.mark.timeout(3600)
@pytest.mark.skipif(
    psutil.virtual_memory().available < NEEDED_GB * 1e9, reason=f"the full-size model needs {NEEDED_GB} GB of memory"
)
def test_at_full_size_the_loop_closes_within_the_memory_bounds(tmp_path):
    """FULL_SIZE_MODEL may name a folder that `write_full_size` wrote before."""
    model = Path(os.environ.get("FULL_SIZE_MODEL") or write_full_size(tmp_path / "model", "bf16"))
    load = load_once(model)
    assert load["VmHWM"] <= LOAD_AT_MOST * weights_bytes(model)
    peaks = check_loop(tmp_path / "loop", model)
    assert peaks["retrain"] <= RETRAIN_AT_MOST
    assert max(peaks["generate"], peaks["draw"]) <= RETRAIN_AT_MOST
