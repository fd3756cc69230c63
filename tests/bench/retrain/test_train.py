"""The benches of the trainer: our half runs for real, in small; what a child takes is what the kernel counted."""

import json
import subprocess
import sys
import time

import pytest

from bench.retrain.pool_child import fill, prepare
from bench.retrain.pool_size import table as pool_table
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
    told = subprocess.run([sys.executable, "-c", SMALL_PARENT], capture_output=True, text=True, check=True).stdout
    output, has_torch, more_mb = told.split()
    assert (output, has_torch) == ("small", "False")
    assert 250 < float(more_mb) < 350


def test_a_child_that_fails_is_told_with_its_last_words():
    with pytest.raises(BadRequest, match=r"ended with 3.*no such picture"):
        run_child([sys.executable, "-c", "print('no such picture'); raise SystemExit(3)"])


def test_a_script_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(BadRequest, match="is not a file"):
        find_script(tmp_path / "train.py")


@pytest.mark.slow
def test_our_half_runs_alone_and_the_record_has_its_keys():
    plan = Plan(images=12, batch=4, micro_batch=2, steps=3, rank=2, rounds=1, held_out=6)
    found = json.loads(json.dumps(bench_train(plan, None, None)))
    assert found["gpu"] is None
    cpu = found["cpu"]
    assert set(cpu["naysayer"]) >= FIGURES
    assert all(cpu["naysayer"][name] > 0 for name in FIGURES)
    assert cpu["diffusers"] is None and cpu["ratios"] is None
    # Three steps from a zero effect change the loss by little, but the file's effect is there.
    assert cpu["naysayer"]["held_out_loss"] == pytest.approx(cpu["base_held_out_loss"], rel=0.05)
    assert cpu["naysayer"]["held_out_loss"] != cpu["base_held_out_loss"]
    assert "diffusers" in table(found)


@pytest.mark.slow
def test_a_retrain_of_a_known_pool_encodes_the_new_rejects_alone(tmp_path):
    fill(tmp_path, 30, 6)
    first, again = prepare(tmp_path, time.monotonic()), prepare(tmp_path, time.monotonic())
    assert first["encoded"] == again["encoded"] == 12  # six pictures and their six prompts
    row = first | {"pool": 30, "peak_mb": 600.0}
    assert "| 30 |" in pool_table({"rows": [row]})
