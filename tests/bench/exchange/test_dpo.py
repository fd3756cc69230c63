"""An exported folder as diffusers' script for Diffusion-DPO reads it; `naysayer bench exchange` runs the real one."""

import pytest

from bench.exchange.dpo import measure_dpo, table
from store.errors import BadRequest

READS = """
import io, sys
from pathlib import Path
from PIL import Image
import pyarrow.parquet as pq

given = dict(zip(sys.argv[1::2], sys.argv[2::2]))
assert Path(given["--pretrained_model_name_or_path"], "unet", "config.json").is_file()
[file] = Path(given["--dataset_name"]).glob("*.parquet")
rows = pq.read_table(file).to_pylist()
for row in rows:
    pictures = [row["jpg_0"], row["jpg_1"]]
    kept, rejected = pictures[::-1] if row["label_0"] == 0 else pictures
    assert Image.open(io.BytesIO(kept)).size == Image.open(io.BytesIO(rejected)).size == (64, 64)
    assert row["caption"] and kept != rejected
print(f"  Num examples = {len(rows)}")
"""
STEPS = """
output = Path(given["--output_dir"])
output.mkdir()
(output / "pytorch_lora_weights.safetensors").write_bytes(b"lora")
print("Steps: 100%|##########| 1/1 [00:01<00:00, loss=0.693, lr=0.0005]")
"""


def test_the_script_gets_pairs_the_model_and_one_step(tmp_path):
    (tmp_path / "script.py").write_text(READS + STEPS)
    found = measure_dpo(tmp_path / "script.py")
    assert (found["exported"], found["loaded"], found["loss"], found["lora_bytes"]) == (8, 8, 0.693, 4)
    assert "loaded 8 of 8 exported pairs" in table(found)


def test_a_script_that_ends_without_a_step_or_is_missing_is_refused(tmp_path):
    (tmp_path / "script.py").write_text(READS)
    with pytest.raises(BadRequest, match=r"ended without a step.*\s*Num examples = 8"):
        measure_dpo(tmp_path / "script.py")
    with pytest.raises(BadRequest, match=r"is not a file.*train_diffusion_dpo_sdxl\.py"):
        measure_dpo(tmp_path / "none.py")
