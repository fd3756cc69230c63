"""The bench of the rating page, in short: real pages, a real browser, a few presses."""

from pathlib import Path

import pytest

from bench.rate.latency import _summary, bench_ui
from store.errors import NaysayerError


@pytest.mark.browser
@pytest.mark.alone
def test_a_key_brings_the_next_picture_sooner_than_on_a_naive_page() -> None:
    found = bench_ui(5, ("one", "naive"), openings=1)
    for case in ("one", "naive"):
        assert 0 < found[case]["p50_ms"] <= found[case]["p95_ms"] <= found[case]["max_ms"]
    assert found["ratio_p50"] > 1.5
    assert found["open_s"] > 0
    assert found["transferred_mb"] > 1


def test_without_label_studio_the_bench_says_how_to_get_it() -> None:
    with pytest.raises(NaysayerError, match="pip install label-studio"):
        bench_ui(10, studio=Path("nowhere"))


def test_other_pages_are_told_as_multiples_of_ours() -> None:
    found = _summary({"one": [10.0] * 9, "naive": [50.0] * 9, "label_studio": [200.0] * 9})
    assert (found["ratio_p50"], found["label_studio_ratio_p95"]) == (5.0, 20.0)
