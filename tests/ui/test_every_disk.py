"""Every command on a disk that is full or can only be read."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bench.rate.browser import free_port
from tests.ui.every import ON_A_STORE, SERVERS, check

IN_A_PLACE = """
import contextlib, io, json
from store.process import run_command
from tests.ui.every import APP, ON_A_STORE, SERVERS

for command, more in ON_A_STORE.items():
    words, out, err, code = [*command.split(), *more.split()], io.StringIO(), io.StringIO(), 0
    if command in SERVERS:
        continue
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            run_command(lambda: APP.main(words, prog_name="naysayer"))
    except SystemExit as ended:
        code = ended.code or 0
    print(json.dumps([words, code, out.getvalue(), err.getvalue()]))
"""
PLACES = {
    "full": "dd if=/dev/zero of=filler bs=4k 2>/dev/null",
    "read-only": 'mount -o remount,ro "$1"',
    "full before it began": "rm -r data; dd if=/dev/zero of=filler bs=4k 2>/dev/null",
    "read-only before it began": 'rm -r data; mount -o remount,ro "$1"',
}


def may_mount() -> bool:
    program = shutil.which("unshare")
    return bool(program) and subprocess.run([program, "-m", "true"], capture_output=True, check=False).returncode == 0


def in_place(place: str, folder: Path, store: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Runs Python in a separate small file system that holds a store and is in that state."""
    script = f'''mount -t tmpfs -o size=8m tmpfs "$1" && cd "$1" && mkdir data && cp "$2" data/ || exit 99
        printf 'prompt\\tseed\\na star\\t1\\n' > in.tsv; echo "a star" > in.txt
        {PLACES[place]}
        shift 2; exec "$@"'''
    command = ["unshare", "-m", "sh", "-c", script, "sh", str(folder), str(store), sys.executable, *words]
    paths = os.pathsep.join([str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")])
    quick = {"NAYSAYER_PORT": str(free_port()), "NAYSAYER_SAMPLE_BATCH": "1"}
    environment = os.environ | quick | {"PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=250)


@pytest.mark.slow
@pytest.mark.skipif(not may_mount(), reason="needs the right to mount a small disk")
@pytest.mark.parametrize("place", PLACES)
def test_a_disk_that_is_full_or_cannot_be_written_to_is_one_sentence_of_every_command(
    shell, tmp_path, empty_store, place
):
    (tmp_path / "disk").mkdir()
    found = in_place(place, tmp_path / "disk", empty_store, "-c", IN_A_PLACE)
    assert found.returncode == 0, found.stderr
    for line in found.stdout.splitlines():
        words, code, out, err = json.loads(line)
        check(words, code, out, err)
        if words[0] in ("prompts", "set", "simulate", "generate") and words[1] not in ("list", "imports"):
            assert code == 1, (words, out, err)
            is_full = "disk full" in err or "the disk is full" in err
            is_not_begun = "before" in place and "there is no store in data" in err
            assert is_full or is_not_begun or "read" in place, err
    assert len(found.stdout.splitlines()) == len(ON_A_STORE) - len(SERVERS)


@pytest.mark.slow
@pytest.mark.skipif(not may_mount(), reason="needs the right to mount a small disk")
@pytest.mark.parametrize("command", SERVERS)
def test_pages_are_not_served_where_no_vote_can_be_kept(shell, tmp_path, empty_store, command):
    (tmp_path / "disk").mkdir()
    found = in_place("read-only", tmp_path / "disk", empty_store, "-m", "ui.commands", command)
    check([command], found.returncode, found.stdout, found.stderr)
    assert "it can only be read" in found.stderr or "cannot be written to" in found.stderr
