"""The bench of the loop: what is kept, and one round for real."""

import pytest
from typer.testing import CliRunner

from bench.commands import app
from bench.loop.loop import _keep, finished, run
from bench.loop.rows import DEFAULT
from bench.loop.summary import world_record
from store.errors import BadRequest
from store.settings import Settings
from tests.bench.loop.conftest import PLAN, RIGHT, WRONG, finished_row


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_one_round_of_the_default_method_beats_the_base_beyond_chance(tmp_path):
    settings = Settings(_env_file=None, sweep_pictures=8, train_steps=150, cross_fit=False)
    found = world_record(run(settings, tmp_path, PLAN, [5], 1), PLAN)
    print(found.model_dump_json(by_alias=True, indent=1))
    base, default = found.methods["base"], found.methods[DEFAULT]
    assert base.n == default.n == 72
    assert default.rate < base.rate
    assert default.paired_high < 0


def test_a_second_call_finds_the_finished_rows_of_its_replicate(tmp_path):
    rows = [finished_row("base", 0, [["fingers"], []], 7), finished_row(DEFAULT, 1, [[], []], 7)]
    for row in rows:
        _keep(tmp_path, row)
    assert finished(tmp_path, 7) == rows
    assert finished(tmp_path, 8) == []


BASE, ONE_ROUND = finished_row("base", 0, WRONG + RIGHT), finished_row(DEFAULT, 1, RIGHT + RIGHT)


def show(folder, rows, *words: str):
    """The bench, asked only to show these finished rows."""
    (folder / "drawn").mkdir()
    for row in rows:
        _keep(folder / "drawn", row)
    asked = ["bench", "loop", "--no-measure", "--folder", str(folder), "--world", "drawn", "--first", "0", *words]
    return CliRunner().invoke(app, asked)


@pytest.mark.parametrize("rows", [[BASE], [BASE, finished_row("woolf", 1, WRONG + RIGHT)], [BASE, ONE_ROUND]])
def test_a_few_finished_rows_are_shown_without_measuring(tmp_path, rows):
    found = show(tmp_path, rows)
    assert found.exit_code == 0, found.output
    for row in rows:
        assert f"| {row.label} |" in found.output


def test_the_page_needs_no_more_than_the_base_and_one_round(tmp_path):
    assert show(tmp_path, [BASE, ONE_ROUND], "--docs", str(tmp_path)).exit_code == 0
    assert "After 1 rounds" not in (tmp_path / "evidence.md").read_text()


@pytest.mark.parametrize(
    ("rows", "words", "said"),
    [
        ([], [], "no finished row of the base"),
        ([finished_row("woolf", 1, WRONG)], [], "no finished row of the base"),
        ([BASE, finished_row("woolf", 1, WRONG, replicate=1)], [], "no finished row of the base"),
        ([BASE], ["--docs", "."], "no finished row 'default, round 1', which the page needs"),
        ([BASE, finished_row("random-outputs", 1, WRONG)], ["--docs", "."], "no finished row 'default, round 1'"),
    ],
)
def test_rows_that_are_too_few_are_named_in_a_sentence(tmp_path, rows, words, said):
    found = show(tmp_path, rows, *words)
    assert isinstance(found.exception, BadRequest)
    assert said in str(found.exception)
