"""Label Studio is no dependency: the bench says how to get it."""

from pathlib import Path

import pytest

from bench.rate.latency import measure_latency
from store.errors import NaysayerError


def test_without_label_studio_the_bench_says_how_to_get_it() -> None:
    with pytest.raises(NaysayerError, match="pip install label-studio"):
        measure_latency(10, studio=Path("nowhere"))
