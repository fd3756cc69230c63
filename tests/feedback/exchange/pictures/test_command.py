"""`naysayer import pictures`, as a person calls it."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import Engine

from store.settings import Settings
from tests.feedback.exchange.pictures.brought import folder_of, imported, png
from tests.feedback.metadata import made
from tests.waiting import PATIENCE_S, until

MANY = 3000
"""So many that an import is not over when its first pictures are seen."""
FIELDS = {"file", "status", "prompt", "negative_prompt", "seed", "tool", "base", "why"}


def call(settings: Settings, *words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "trainer.commands", "import", "pictures", *map(str, words)]
    environment = os.environ | {"NAYSAYER_DATA_DIR": str(settings.data_dir)}
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=PATIENCE_S)


@pytest.fixture
def folder(engine: Engine, fill, tmp_path: Path) -> Path:
    """A folder with a picture of the store's base, one that is no picture, and one without a prompt."""
    fill(engine, images=1)
    return folder_of(tmp_path / "in", a__png=png("a fox", 7), b__png=b"", sub___c__png=made.png())


def test_a_dry_run_prints_one_object_a_file(settings, engine, folder):
    done = call(settings, folder, "--dry-run", "--json")
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0
    assert all(one.keys() >= FIELDS for one in found)
    assert [(one["file"], one["status"]) for one in found] == [
        ("a.png", "ok"),
        ("b.png", "broken"),
        ("sub/c.png", "empty"),
    ]
    assert (found[0]["prompt"], found[0]["seed"], found[0]["base"], found[0]["why"]) == ("a fox", 7, "sdxl", "")
    assert imported(engine) == []


def test_a_dry_run_ends_with_totals_and_an_empty_path_is_refused(settings, engine, folder):
    done = call(settings, folder, "--dry-run")
    assert done.stdout.splitlines()[:2] == ["a.png: ok, new", "b.png: broken, refused: the file is empty; get it again"]
    said = (
        "1 new, to be rated, of which 0 will not be trained on 1 refused: without a prompt "
        "1 refused: damaged or no pictures"
    )
    assert " ".join(" ".join(done.stdout.splitlines()[3:]).split()) == said
    (folder / "none").mkdir()
    assert call(settings, folder / "none", "--dry-run").stdout == "no picture was found\n"
    assert "the path is empty" in call(settings, "").stderr
    other = settings.model_copy(update={"data_dir": settings.data_dir / "not begun"})
    done = call(other, folder, "--dry-run", "--json")
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 3)
    assert "start `naysayer run`, wait until it draws" in done.stderr


def test_an_import_says_what_came_in_and_what_did_not(settings, engine, folder):
    done = call(settings, folder)
    assert done.returncode == 0
    said = "1 new, to be rated, of which 0 will not be trained on 1 refused: without a prompt"
    assert done.stdout.split() == f"{said} 1 refused: damaged or no pictures".split()
    assert "b.png: the file is empty; get it again" in done.stderr
    assert len(imported(engine)) == 1
    assert call(settings, folder).stdout.startswith("        1  here already")


@pytest.mark.slow
def test_ctrl_c_ends_without_a_traceback_and_the_same_command_goes_on(settings, engine, fill, tmp_path):
    fill(engine, images=1)
    many = folder_of(tmp_path / "many", **{f"{number}__png": png("a fox", number) for number in range(MANY)})
    command = [sys.executable, "-m", "trainer.commands", "import", "pictures", str(many), "--processes", "2"]
    environment = os.environ | {"NAYSAYER_DATA_DIR": str(settings.data_dir)}
    process = subprocess.Popen(
        command,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # A shell starts what it puts in the background deaf to Ctrl-C, these tests too.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    until(lambda: imported(engine) or process.poll() is not None, "the first pictures")
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    _, said = process.communicate(timeout=PATIENCE_S)
    assert "Traceback" not in said
    assert len(imported(engine)) < MANY
    assert process.returncode != 0
    assert call(settings, many).returncode == 0
    assert len(imported(engine)) == MANY


def test_a_model_is_remembered_from_one_call_to_the_next(settings, engine, folder):
    other = folder_of(folder.parent / "other", d__png=png("an owl", settings="Steps: 9, Size: 64x64, Model: fox"))
    assert call(settings, folder, "--model", "fox=ours").returncode == 0
    assert json.loads(call(settings, other, "--dry-run", "--json").stdout)["why"] == ""
    unnamed = folder_of(folder.parent / "unnamed", e__png=png("a hen", settings="Steps: 9, Size: 64x64, Model: wolf"))
    for words in ([unnamed, "--dry-run"], [unnamed]):
        assert f"  naysayer import pictures {unnamed} --model 'wolf=sdxl'" in call(settings, *words).stderr.splitlines()


def test_a_wrong_word_is_said_in_one_line(settings, engine, folder):
    done = call(settings, folder, "--model", "fox")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert done.stderr.startswith("naysayer: --model 'fox' is not NAME=BASE")
