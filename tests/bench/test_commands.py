"""The bench commands: every option is explained, and --json prints one object."""

import json

import pytest
import typer
from typer.testing import CliRunner

from bench.commands import app

COMMANDS = {
    "loop",
    "asking",
    "card",
    "exchange",
    "import",
    "imported",
    "queue",
    "plan",
    "ratings",
    "gate",
    "store",
    "sample",
    "ui",
    "train",
    "pool-size",
    "memory",
    "turns",
    "scale",
    "pace",
}


def test_every_bench_and_every_option_has_a_help_text() -> None:
    benches = typer.main.get_command(app).commands["bench"].commands  # type: ignore[attr-defined]
    assert set(benches) == COMMANDS
    for name, command in benches.items():
        assert command.help, name
        assert all(parameter.help for parameter in command.params), name


@pytest.mark.parametrize(
    "words",
    [
        ["gate", "--runs", "20"],
        ["queue", "--images", "100", "--votes", "200", "--picks", "10"],
        ["plan", "--prompts", "50", "--votes", "10"],
    ],
)
def test_json_prints_one_object_on_one_line(words: list[str]) -> None:
    printed = CliRunner().invoke(app, ["bench", *words, "--json"]).stdout
    assert len(printed.splitlines()) == 1
    assert isinstance(json.loads(printed), dict)


def test_the_queue_is_shown_as_a_table() -> None:
    found = CliRunner().invoke(app, ["bench", "queue", "--images", "100", "--votes", "200", "--picks", "10"]).stdout
    assert found.splitlines()[0] == "100 queued pictures, 200 votes"
    assert [line.split()[0] for line in found.splitlines()[1:]] == ["one", "hand"]


def test_a_value_out_of_range_is_refused() -> None:
    found = CliRunner().invoke(app, ["bench", "gate", "--runs", "0"])
    assert found.exit_code == 2
    assert "--runs" in found.stderr
