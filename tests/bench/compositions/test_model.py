import re
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

import bench.compositions
from trainer.builtin.measure import measure

MODEL = Path(bench.compositions.__file__).parent / "model"


def claimed() -> dict[str, list[float]]:
    """The model card's share judged wrong and its interval, 0 to 1, of each subject and of "all"."""
    card = (MODEL / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\w+) \| \d+ \| ([\d.]+) % \| ([\d.]+)–([\d.]+) % \|", card, re.MULTILINE)
    return {group: [float(number) / 100 for number in numbers] for group, *numbers in rows}


def test_the_model_is_small_and_all_fp16_safetensors():
    files = [path for path in MODEL.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 10e6
    assert {path.suffix for path in files} <= {".json", ".md", ".safetensors"}
    for path in MODEL.rglob("*.safetensors"):
        with safe_open(path, "pt") as weights:
            for name in weights.keys():  # noqa: SIM118 (safe_open is no mapping)
                value = weights.get_tensor(name)
                assert value.dtype == torch.float16 and value.isfinite().all(), name


def test_the_card_claims_a_base_that_is_wrong_about_half_of_the_time_in_every_subject():
    shares = claimed()
    assert set(shares) == {*bench.compositions.SUBJECTS, "all"}
    assert 0.40 <= shares["all"][0] <= 0.60
    assert all(share > 0.2 for share, _, _ in shares.values())


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_card_is_true_on_fresh_seeds():
    measured_low, measured_high = measure(MODEL, 72, seed=9_000_000, world=bench.compositions)["all"].interval
    _, low, high = claimed()["all"]
    assert measured_low < high and low < measured_high
