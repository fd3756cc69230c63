import json
from pathlib import Path

import pytest

from bench.card.page import BEGIN, END, measured, write_measured
from store.errors import BadRequest

DOCS = Path(__file__).parents[3] / "docs"
FIT = {
    "latents_a_pass": 4,
    "gradient_checkpointing": True,
    "images_per_s": 7.654,
    "bf16_peak_share": 0.231,
    "peak_gb": 10.4,
    "ran_out_of_memory": 0,
}
RECORD = {
    "device": "a card",
    "memory_gb": 12.9,
    "model": "full-size-random",
    "side_px": 256,
    "fit_px": 256,
    "full_px": 1024,
    "seconds": 470,
    "date": "2026-11-28",
    "libraries": {"torch": "2.13.0"},
    "findings": [{"name": "a fit on 8 GB", "holds": True, "words": "took 7.7 GB"}],
    "figures": {
        "drawing": {
            "pictures_at_once": 4,
            "steps": 20,
            "decoded": "whole",
            "rules": {"plain": {"per_minute": 63.21, "of_plain_with_as_many_rows": 1.004}},
        },
        "retrain": {"objective": "nft", "tflop_a_latent": 6.0, "fits": {"as chosen": FIT}},
        "quantised": {"fp8": FIT | {"bf16_peak_share": None}},
        "decoding": {"pictures": 4, "ways": {"tiled": {"seconds": 1.234, "peak_gb": 8.0}}},
        "beside": {
            "plan": {"batch": 4, "rank": 16, "steps": 30, "dtype": "bf16"},
            "sides": {"kohya": {"images_per_s": 5.0, "other_s": 41.2, "peak_gb": None, "host_peak_gb": 9.9}},
        },
    },
    "left_out": ["no retrain beside kohya's"],
}


def test_every_figure_of_a_record_is_on_the_page():
    page = measured(RECORD)
    for row in (
        "**Measured** on a card (12.9 GB), 2026-11-28, 470 s",
        "| a fit on 8 GB | yes | took 7.7 GB |",
        "| plain | 63.2 | 1.00 |",
        "| as chosen: 4 a pass with gradient checkpointing | 7.65 | 23% | 10.4 GB |",
        "| fp8: 4 a pass with gradient checkpointing | 7.65 |  | 10.4 GB |",
        "| tiled | 1.23 | 8.0 GB |",
        "| kohya | 5 | 41 s | 9.9 GB |",
        "- no retrain beside kohya's",
    ):
        assert row in page, row


def test_the_page_shows_the_record():
    record = json.loads((DOCS / "card.json").read_text(encoding="utf-8"))
    found = (DOCS / "operator" / "card.md").read_text(encoding="utf-8").split(BEGIN)[1].split(END)[0]
    assert found.strip() == measured(record)


def test_a_page_without_the_marks_is_refused(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# Your card\n")
    with pytest.raises(BadRequest, match="needs the lines"):
        write_measured(page, RECORD)
    assert page.read_text() == "# Your card\n"
