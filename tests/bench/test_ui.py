"""The bench of the rating page, in short: real pages, a real browser, a few presses."""

import pytest

from bench.ui import bench_ui


@pytest.mark.browser
@pytest.mark.alone
def test_a_key_brings_the_next_picture_sooner_than_on_a_naive_page() -> None:
    found = bench_ui(5, ("one", "naive"), openings=1)
    for case in ("one", "naive"):
        assert 0 < found[case]["p50_ms"] <= found[case]["p95_ms"] <= found[case]["max_ms"]
    assert found["ratio_p50"] > 1.5
    assert found["open_s"] > 0
    assert found["transferred_mb"] > 1
