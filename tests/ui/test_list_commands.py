import json

import pytest
from typer.testing import CliRunner

from ui.commands import app


@pytest.fixture
def naysayer(monkeypatch, tmp_path):
    """Calls the command line on an empty store; returns what it printed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NAYSAYER_DATA_DIR", str(tmp_path / "data"))

    def call(*words: str) -> str:
        answer = CliRunner().invoke(app, list(words), catch_exceptions=False)
        assert answer.exit_code == 0, answer.output
        return answer.output

    return call


def test_prompts_are_added_imported_and_listed_once_each(naysayer, tmp_path):
    assert naysayer("prompts", "add", "a red star", "a blue hand").startswith("2 new prompts out of 2; ")
    (tmp_path / "more.txt").write_text("a red star\na green cat\n")
    assert naysayer("prompts", "import", "more.txt") == (
        "1 new prompt out of 2 in more.txt; `naysayer prompts remove --import 2` takes them back\n"
    )
    assert naysayer("prompts", "list").splitlines() == ["a red star", "a blue hand", "a green cat"]


def test_evaluation_sets_are_imported_made_and_listed(naysayer, tmp_path):
    assert "no evaluation set yet" in naysayer("evaluation", "list")
    (tmp_path / "mine.jsonl").write_text(json.dumps({"prompt": "a red star", "seed": 5}) + "\n")
    assert naysayer("evaluation", "import", "mine.jsonl").startswith("set 1 (mine): 1 pair over 1 prompt")
    naysayer("prompts", "add", "a blue hand")
    assert naysayer("evaluation", "new", "--pairs", "3", "--name", "second").startswith("set 2 (second): 3 pairs")
    assert len(naysayer("evaluation", "list").splitlines()) == 2
