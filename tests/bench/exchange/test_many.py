"""A few pictures through the real import and export; Label Studio is timed by `naysayer bench import` itself."""

import json
import sys

import pytest
from PIL import Image
from typer.testing import CliRunner

from bench.commands import app
from bench.exchange.made import infotext, make_pictures
from bench.exchange.watched import own_environment, watch
from feedback.exchange.pictures.reading import pixels_hash
from feedback.metadata.read import read_bytes
from store.errors import NaysayerError


def test_every_picture_has_its_own_pixels_prompt_and_seed(tmp_path):
    assert len(list(make_pictures(tmp_path / "in", 3, 1))) == 3
    found = [read_bytes(file.read_bytes(), file.name, [], {})[0] for file in sorted((tmp_path / "in").iterdir())]
    assert [(one.status, one.seed, one.width, one.model) for one in found] == [
        ("ok", k, 1024, "builtin") for k in range(3)
    ]
    assert found[0].prompt == found[1].prompt != found[2].prompt
    assert infotext(2).startswith(str(found[2].prompt))
    hashes = {pixels_hash(Image.open(file)) for file in (tmp_path / "in").iterdir()}
    assert len(hashes) == 3


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_few_pictures_come_in_and_go_out_and_are_measured(tmp_path):
    words = ["bench", "import", "--pictures", "6", "--folder", str(tmp_path), "--json"]
    said = CliRunner().invoke(app, words)
    assert said.exit_code == 0, said.output
    found = json.loads(said.stdout)
    assert "import of 6 pictures of 0.9 MB by 2 processes: " in said.stderr
    assert "\nexport: " in said.stderr
    assert found["pictures"] == 6
    assert 0.5 < found["file_mb"] < 1.5
    assert found["import_per_s"] == pytest.approx(6 / found["import_s"], rel=0.01)
    assert found["pillow_ratio"] == pytest.approx(found["import_cpu_ms"] / found["pillow_cpu_ms"], rel=0.01)
    assert 50 < found["import_peak_mb"] < 1000
    assert 50 < found["export_peak_mb"] < 1000
    assert list(tmp_path.iterdir()) == []


def test_label_studio_must_be_there_before_anything_is_drawn(tmp_path):
    said = CliRunner().invoke(
        app, ["bench", "import", "--folder", str(tmp_path), "--label-studio", str(tmp_path / "none")]
    )
    assert isinstance(said.exception, NaysayerError)
    assert "Label Studio's program was not found" in str(said.exception)


def test_the_memory_of_all_processes_of_a_command_is_counted(tmp_path):
    block = "import time; held = bytearray(60_000_000); time.sleep(2)"
    both = f"import subprocess, sys; held = bytearray(60_000_000); subprocess.run([sys.executable, '-c', {block!r}])"
    found = watch([sys.executable, "-c", both], own_environment(tmp_path), tmp_path)
    assert 120 < found.peak_mb < 300
    assert found.wall_s > 2
    with pytest.raises(NaysayerError, match="ended with 3"):
        watch([sys.executable, "-c", "raise SystemExit(3)"], own_environment(tmp_path), tmp_path)
