"""Published ratings, read from files in the formats of their publishers."""

import math
from pathlib import Path

import pytest

from bench.rate.ratings import figures, geneval, imagenhub, intel_rejects, seconds_on_page, slip_rate, spread


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two pictures with three raters each (ImagenHub), two with two raters (GenEval), three thumbs (Intel)."""
    (tmp_path / "imagenhub").mkdir()
    rows = {1: ("[0.5, 1]", "[1, 1]"), 2: ("[1, 1]", "[1, 1]"), 3: ("[0, 0.5]", "")}
    for rater, (first, second) in rows.items():
        lines = ["uid\tSDXL", f"a.jpg\t{first}", f"b.jpg\t{second}"]
        (tmp_path / "imagenhub" / f"Text-To-Image_rater{rater}.tsv").write_text("\n".join(lines))
    lines = ["Input.index,Answer.task-quality,Answer.ee", "1,3,40", "1,4,60", "2,1,20", "2,2,80"]
    (tmp_path / "geneval_annotations_sdv2.csv").write_text("\n".join(lines))
    (tmp_path / "intel_annotations_df_230311.csv").write_text("annotation\nFalse\nTrue\nTrue\n")
    return tmp_path


def test_a_quality_below_one_is_a_reject_and_an_empty_cell_is_no_vote(folder: Path) -> None:
    rows = imagenhub(folder, "semantic")
    assert rows[0] == [1, 0, 1]
    assert imagenhub(folder, "perceptual")[0] == [0, 0, 1]


def test_a_quality_of_three_or_less_is_a_reject(folder: Path) -> None:
    assert geneval(folder) == [[1, 0], [1, 1]]
    assert seconds_on_page(folder) == [20, 40, 60, 80]


def test_thumbs_down_are_counted_among_all_thumbs(folder: Path) -> None:
    assert intel_rejects(folder) == (1, 3)


def test_the_slip_rate_explains_the_disagreement_of_two_raters() -> None:
    error = slip_rate([[1, 0]] + [[1, 1]] * 3)
    assert 2 * error * (1 - error) == pytest.approx(0.25)
    assert slip_rate([[1, 1]]) == 0


def test_the_spread_of_a_log_normal_is_its_sigma() -> None:
    quartiles = [math.exp(-0.674490 * 0.8), 1.0, math.exp(0.674490 * 0.8)]
    assert spread([quartiles[0]] * 3 + [quartiles[1]] * 2 + [quartiles[2]] * 3) == pytest.approx(0.8)


def test_the_figures_name_each_set(folder: Path) -> None:
    found = figures(folder)
    assert list(found) == ["imagenhub semantic", "imagenhub perceptual", "geneval quality", "pace", "intel"]
    assert found["geneval quality"]["rejects"] == 0.75
    assert found["pace"]["median_s"] == 50
