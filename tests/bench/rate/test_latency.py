"""The bench of the rating page, in short: real pages, a real browser, a few presses."""

import io

import pytest
from PIL import Image as Picture

from bench.rate.latency import SIDE_PX, measure_latency, png_of, summarize


@pytest.mark.browser
@pytest.mark.alone
def test_a_key_brings_the_next_picture_sooner_than_on_a_naive_page() -> None:
    found = measure_latency(5, ("one", "naive"), openings=1)
    for case in ("one", "naive"):
        assert 0 < found[case]["p50_ms"] <= found[case]["p95_ms"] <= found[case]["max_ms"]
    assert found["ratio_p50"] > 1.5
    assert found["open_s"] > 0
    assert found["transferred_mb"] > 1


def test_other_pages_are_told_as_multiples_of_ours() -> None:
    found = summarize({"one": [10.0] * 9, "naive": [50.0] * 9, "label_studio": [200.0] * 9})
    assert (found["ratio_p50"], found["label_studio_ratio_p95"]) == (5.0, 20.0)


def test_a_picture_of_the_bench_is_as_large_as_a_photograph() -> None:
    data = png_of(1)
    assert Picture.open(io.BytesIO(data)).size == (SIDE_PX, SIDE_PX)
    assert len(data) > 500_000
    assert data == png_of(1) != png_of(2)
