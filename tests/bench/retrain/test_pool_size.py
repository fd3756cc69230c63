"""The record of the growing pool: medians, growth, the table in the docs and the plot."""

import json
from pathlib import Path

from PIL import Image

from bench.retrain.pool_size import _growth, _medians, plot, table

MEASURED = Path(__file__).parents[3] / "docs" / "measured"
FOUND = json.loads((MEASURED / "pool-size.json").read_text())


def test_the_table_in_the_docs_is_the_one_that_the_record_gives() -> None:
    assert table(FOUND) in (MEASURED / "training-cost.md").read_text()


def test_the_rounds_are_reduced_to_medians() -> None:
    assert _medians([{"a": 1.0, "b": 5.0}, {"a": 3.0, "b": 4.0}, {"a": 2.0, "b": 6.0}]) == {"a": 2.0, "b": 5.0}


def test_the_growth_is_the_larger_pool_over_the_smaller() -> None:
    small, large = FOUND["rows"][:2]
    assert _growth(small, large) == FOUND["tenfold"][0]


def test_the_plot_is_a_picture(tmp_path) -> None:
    plot(FOUND, tmp_path / "plot.png")
    with Image.open(tmp_path / "plot.png") as picture:
        assert picture.size == (880, 352)
