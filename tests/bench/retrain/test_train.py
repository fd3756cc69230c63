"""The bench of a retrain: our side runs for real, in small; a child's peak memory is what the kernel counted."""

import json
import subprocess
import sys

import pytest

from bench.retrain.train import Plan, bench_train, find_script, run_child, table
from store.errors import BadRequest

FIGURES = {"images_per_s", "images_per_cpu_s", "steps_per_s", "prepare_s", "peak_mb", "held_out_loss"}


SMALL_PARENT = """
import sys
from bench.retrain.train import run_child
small = run_child([sys.executable, "-c", "print('small')"])
large = run_child([sys.executable, "-c", "x = bytearray(300_000_000)"])
print(small.output.strip(), "torch" in sys.modules, large.peak_mb - small.peak_mb)
"""


def test_a_child_is_charged_its_own_peak_memory():
    printed = subprocess.run([sys.executable, "-c", SMALL_PARENT], capture_output=True, text=True, check=True).stdout
    output, has_torch, more_mb = printed.split()
    assert (output, has_torch) == ("small", "False")
    assert 230 < float(more_mb) < 350


def test_a_child_that_fails_is_reported_with_its_last_output():
    with pytest.raises(BadRequest, match=r"ended with 3.*no such picture"):
        run_child([sys.executable, "-c", "print('no such picture'); raise SystemExit(3)"])


def test_a_missing_script_is_refused(tmp_path):
    with pytest.raises(BadRequest, match="is not a file"):
        find_script(tmp_path / "train.py")


@pytest.mark.slow
def test_without_a_script_our_side_is_measured_and_the_record_has_its_keys():
    plan = Plan(images=12, batch=4, micro_batch=2, steps=3, rank=2, rounds=1, held_out=6)
    found = json.loads(json.dumps(bench_train(plan, None, None)))
    assert found["gpu"] is None
    cpu = found["cpu"]
    assert set(cpu["naysayer"]) >= FIGURES
    assert all(cpu["naysayer"][name] > 0 for name in FIGURES)
    assert cpu["diffusers"] is None and cpu["ratios"] is None
    # Three steps change the loss only a little, but they do change it.
    assert cpu["naysayer"]["held_out_loss"] == pytest.approx(cpu["base_held_out_loss"], rel=0.05)
    assert cpu["naysayer"]["held_out_loss"] != cpu["base_held_out_loss"]
    assert "diffusers" in table(found)
