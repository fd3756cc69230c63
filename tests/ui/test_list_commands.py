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
        return answer.stdout

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


def test_an_import_says_which_prompts_the_model_does_not_read_to_their_end(naysayer, tmp_path, monkeypatch):
    (tmp_path / "long.txt").write_text("a cup\n" + "a red star above a blue hand, " * 14 + "with a green dog\n")
    assert "does not read" not in naysayer("prompts", "import", "long.txt")
    naysayer("prompts", "remove", "--import", "1")
    monkeypatch.setenv("NAYSAYER_PROMPT_WEIGHTING", "off")
    (tmp_path / "again.txt").write_text("a red star above a blue hand, " * 14 + "with a grey dog\n")
    said = naysayer("prompts", "import", "again.txt")
    assert "the model does not read 1 prompt to its end (it stops before 'above' in 'a red star" in said
    assert "does not read" not in naysayer("prompts", "add", "a jug")


def test_an_import_is_listed_undone_and_restored(naysayer, tmp_path):
    (tmp_path / "bad.txt").write_text("a {red|blue} cup\na jug\n")
    assert "{red|blue} in line 1" in naysayer("prompts", "import", "bad.txt")
    assert "2 in use, 0 paused, 0 removed  bad.txt" in naysayer("prompts", "imports")
    assert naysayer("prompts", "remove", "--import", "1") == "2 prompts removed\n"
    assert naysayer("prompts", "list") == ""
    assert "removed" in naysayer("prompts", "list", "--all")
    assert "2 others, paused or removed before, stay so" in naysayer("prompts", "import", "bad.txt")
    assert naysayer("prompts", "restore", "--source", "bad.txt") == "2 prompts restored\n"
    assert naysayer("prompts", "pause", "a  jug") == "1 prompt paused\n"
    assert naysayer("prompts", "list") == "a {red|blue} cup\n"
