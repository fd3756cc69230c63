import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import trainer.builtin
from store.settings_file import read_settings
from ui.run.schedule import cron_line, keep_this_shells, schedule_words

CRONS = {"PATH": "/usr/bin:/bin", "HOME": os.environ.get("HOME", "/"), "SHELL": "/bin/sh"}
"""All that cron gives a command."""
if "PYTHONPATH" in os.environ:  # a checkout that is not the installed one
    CRONS["PYTHONPATH"] = os.environ["PYTHONPATH"]


def line_of(words: str) -> str:
    return next(line for line in words.splitlines() if line.startswith("* * * * * "))


def run_as_cron(line: str, folder: Path) -> str:
    """What a minute of cron leaves in the log. Cron itself takes the backslash before `%` away."""
    command = line.removeprefix("* * * * * ").replace("\\%", "%")
    subprocess.run(["sh", "-c", command], env=CRONS, check=True, timeout=120)
    return (folder / "cron.log").read_text()


@pytest.fixture
def shell(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NAYSAYER_DATA_DIR", str(tmp_path / "50% 'mine'"))
    return monkeypatch


@pytest.mark.slow
def test_the_printed_line_retrains_under_the_settings_of_the_shell(shell, tmp_path):
    model = shutil.copytree(Path(trainer.builtin.__file__).parent / "model", tmp_path / "model")
    shell.setenv("NAYSAYER_MODEL", str(model))
    shell.setenv("NAYSAYER_RETRAIN_AFTER", "3")
    settings = read_settings()
    settings.data_dir.mkdir()
    assert "3 needed" in run_as_cron(line_of(schedule_words(settings)), settings.data_dir)
    assert keep_this_shells(settings) == ["model", "retrain_after"]
    shell.delenv("NAYSAYER_MODEL")
    shell.delenv("NAYSAYER_RETRAIN_AFTER")
    kept = line_of(schedule_words(read_settings()))
    assert "RETRAIN_AFTER" not in kept
    (settings.data_dir / "cron.log").unlink()
    assert "3 needed" in run_as_cron(kept, settings.data_dir)
    assert read_settings().model == str(model)


def test_secrets_are_named_and_left_out(shell):
    shell.setenv("NAYSAYER_WEBHOOK_SECRET", "hunter2" * 6)
    words = schedule_words(read_settings())
    assert "NAYSAYER_WEBHOOK_SECRET" in words
    assert "hunter2" not in words


def test_what_cron_and_systemd_read_in_their_own_way_is_escaped(shell, tmp_path):
    words = schedule_words(read_settings())
    assert r"50\%" in line_of(words)
    assert f'Environment="NAYSAYER_DATA_DIR={tmp_path}/50%% ' in words
    assert Path(sys.executable).with_name("naysayer").name in words
    assert cron_line(Path("n"), Path("/a b"), Path("/d"), {}).startswith("* * * * * cd '/a b' &&")
