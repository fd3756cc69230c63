import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import trainer.builtin
from store.errors import BadRequest
from store.migrate import open_store
from store.settings.file import read_settings
from tests.waiting import PATIENCE_S
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
    subprocess.run(["sh", "-c", command], env=CRONS, check=True, timeout=PATIENCE_S)
    return (folder / "cron.log").read_text()


def seen_by_cron(line: str) -> dict[str, str]:
    """The variables that cron gives to the command, after its own reading and the shell's."""
    command = line.removeprefix("* * * * * ").replace("\\%", "%")
    command = re.sub(r" \S+ retrain --json >> .*", " env -0", command, flags=re.DOTALL)
    printed = subprocess.run(["sh", "-c", command], env=CRONS, check=True, capture_output=True, text=True).stdout
    return dict(one.split("=", 1) for one in printed.split("\0") if "=" in one)


@pytest.fixture
def shell(monkeypatch, tmp_path):
    for name in [name for name in os.environ if name.startswith("NAYSAYER_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NAYSAYER_DATA_DIR", str(tmp_path / "50% 'mine'"))
    return monkeypatch


@pytest.mark.slow
def test_the_printed_line_retrains_under_the_settings_of_the_shell(shell, tmp_path):
    model = shutil.copytree(Path(trainer.builtin.__file__).parent / "model", tmp_path / "model")
    shell.setenv("NAYSAYER_MODEL", str(model))
    shell.setenv("NAYSAYER_RETRAIN_AFTER", "3")
    settings = read_settings()
    open_store(settings).dispose()
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
    assert f"Environment=\"NAYSAYER_DATA_DIR={tmp_path}/50%% 'mine'\"" in words
    assert Path(sys.executable).with_name("naysayer").name in words
    assert cron_line(["n"], Path("/a b"), Path("/d"), {}).startswith("* * * * * cd '/a b' &&")


@pytest.mark.parametrize(
    "value", ["100%", "it's", 'a "b"', "$HOME `date`", "a\\b", "ä # ü", "x; rm -r x", "a\nb", "%%"]
)
def test_cron_and_a_units_command_get_the_very_value(shell, value):
    shell.setenv("NAYSAYER_NEGATIVE_PROMPT", value)
    shell.setenv("NAYSAYER_RETRAIN_AFTER", "7")
    settings = read_settings()
    words = schedule_words(settings)
    found = seen_by_cron(line_of(words))
    assert found["NAYSAYER_NEGATIVE_PROMPT"] == settings.negative_prompt
    assert found["NAYSAYER_RETRAIN_AFTER"] == "7"
    assert found["NAYSAYER_DATA_DIR"] == str(settings.data_dir)
    (unit,) = [line for line in words.splitlines() if line.startswith('Environment="NAYSAYER_NEGATIVE')]
    written = unit.removeprefix('Environment="').removesuffix('"').replace("%%", "%")  # as systemd.syntax(7) reads it
    assert re.sub(r"\\(.)", r"\1", written) == f"NAYSAYER_NEGATIVE_PROMPT={settings.negative_prompt}"


@pytest.mark.parametrize("value", ["a\\\\b", "a\\%", "long " * 300])
def test_what_crons_read_differently_is_refused_until_it_is_kept(shell, value):
    shell.setenv("NAYSAYER_NEGATIVE_PROMPT", value)
    with pytest.raises(BadRequest, match="naysayer schedule --keep"):
        schedule_words(read_settings())
    keep_this_shells(read_settings())
    assert "NEGATIVE_PROMPT" not in line_of(schedule_words(read_settings()))
    shell.delenv("NAYSAYER_NEGATIVE_PROMPT")
    assert read_settings().negative_prompt == value.strip()


def test_a_folder_that_no_crontab_can_hold_is_refused(shell, tmp_path):
    (tmp_path / "a\nb").mkdir()
    shell.chdir(tmp_path / "a\nb")
    with pytest.raises(BadRequest, match="cannot be written into a crontab"):
        schedule_words(read_settings())


def test_a_store_that_cron_would_not_find_is_refused_without_its_password(shell):
    shell.setenv("NAYSAYER_STORE_URL", "postgresql://ada:hunter2@db/naysayer")
    with pytest.raises(BadRequest, match="holds a password") as refused:
        schedule_words(read_settings())
    assert "hunter2" not in str(refused.value)
    shell.setenv("NAYSAYER_STORE_URL", "postgresql://db/naysayer")
    assert "NAYSAYER_STORE_URL" in seen_by_cron(line_of(schedule_words(read_settings())))


def test_what_decides_where_models_come_from_goes_along_and_a_proxys_password_does_not(shell):
    shell.setenv("HF_HOME", "/models of mine")
    shell.setenv("HF_TOKEN", "hunter2")
    shell.setenv("https_proxy", "http://ada:hunter2@proxy:3128")
    words = schedule_words(read_settings())
    assert seen_by_cron(line_of(words))["HF_HOME"] == "/models of mine"
    assert "Secrets are left out: HF_TOKEN, https_proxy" in words
    assert "hunter2" not in words


def test_a_retrain_needs_no_secret_of_the_pages(shell, tmp_path):
    shell.setenv("NAYSAYER_SECRET", "s" * 40)
    for name, value in {"PUBLIC_URL": "https://a.example", "SIGN_IN": "invitations", "HOST": "0.0.0.0"}.items():
        shell.setenv(f"NAYSAYER_{name}", value)
    keep_this_shells(read_settings())
    found = seen_by_cron(line_of(schedule_words(read_settings())))
    for name in ("SECRET", "PUBLIC_URL", "SIGN_IN", "HOST"):
        shell.delenv(f"NAYSAYER_{name}")
    with pytest.raises(BadRequest, match="NAYSAYER_SECRET"):
        read_settings()
    for name in found:
        if name.startswith("NAYSAYER_"):
            shell.setenv(name, found[name])
    assert read_settings().sign_in == "name"
