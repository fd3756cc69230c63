"""A command that changes a store begins none: with a wrong data folder, what was done would be nowhere."""

from pathlib import Path

import pytest

from store.errors import BadRequest
from store.existing import open_existing
from store.migrate import open_store
from store.process import run_command
from store.settings import Settings
from tests.ui.every import APP, ON_A_STORE

BEGIN = {"run", "pages", "generate", "simulate", "restore"}
"""Commands that fill or serve a store."""
BEGIN |= {"prompts add", "prompts import", "evaluation import"}
"""What may be in place before the first start."""
NEED_NONE = {"settings", "set", "unset", "schedule", "doctor", "backup", "move", "merge"}
"""They read no store, or say in their own words that there is none."""
READ = {"versions", "status", "sort", "export lora", "export data", "controls list", "prompts list", "prompts imports"}
READ |= {"token list", "evaluation list", "draw"}
CHANGE = sorted(ON_A_STORE.keys() - BEGIN - NEED_NONE - READ)


@pytest.mark.parametrize("command", CHANGE)
def test_a_command_that_changes_a_store_refuses_to_begin_one(command, tmp_path: Path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NAYSAYER_DATA_DIR", "wrong")
    (tmp_path / "in").mkdir()
    (tmp_path / "in.jsonl").write_text('{"rater": "Ann", "picture": 1, "verdict": "keep"}\n')
    words = [*command.split(), *ON_A_STORE[command].split()]
    with pytest.raises(SystemExit) as ended:
        run_command(lambda: APP.main(words, prog_name="naysayer"))
    assert ended.value.code == 1
    assert capsys.readouterr().err.startswith("naysayer: there is no store in wrong, so nothing was done; check")
    assert not (tmp_path / "wrong").exists()


def test_a_list_may_come_before_the_first_start_and_says_where(tmp_path: Path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NAYSAYER_DATA_DIR", "new")
    said = []
    for prompt in ("a red star", "a blue hand"):
        with pytest.raises(SystemExit):
            run_command(lambda words=("prompts", "add", prompt): APP.main(words, prog_name="naysayer"))
        said.append(capsys.readouterr().err)
    assert said == ["naysayer: a new store begins in new, where there was none\n", ""]


@pytest.mark.postgres
def test_an_empty_database_of_a_server_is_no_store(postgres_url: str, tmp_path: Path):
    settings = Settings(_env_file=None, data_dir=tmp_path, store_url=postgres_url)
    with pytest.raises(BadRequest, match="there is no store in postgresql"):
        open_existing(settings)
    open_store(settings).dispose()
    open_existing(settings).dispose()
