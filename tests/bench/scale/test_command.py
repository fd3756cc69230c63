"""The whole bench on a small PostgreSQL store; the same functions as a worker and a page."""

import json

import pytest
from typer.testing import CliRunner

from bench.commands import app
from bench.scale.acting import OPERATIONS

SMALL = ["--images", "600", "--votes", "300", "--cards", "3", "--raters", "6", "--seconds", "8", "--times", "12"]


@pytest.mark.postgres
def test_the_bench_measures_and_models(postgres_url, tmp_path, monkeypatch):
    monkeypatch.setenv("NAYSAYER_STORE_URL", postgres_url)
    monkeypatch.setenv("NAYSAYER_DATA_DIR", str(tmp_path))
    png = tmp_path / "scale.png"
    said = CliRunner().invoke(app, ["bench", "scale", *SMALL, "--figure", str(png), "--json"])
    assert said.exit_code == 0, said.output
    found = json.loads(said.stdout)
    assert set(found["costs"]) == set(OPERATIONS)
    assert all(cost["locked_s"] > 0 for name, cost in found["costs"].items() if name != "beat")
    assert found["measured"]["vote"]["p95_ms"] > 0
    assert found["modelled"]["vote"]["p95_ms"] > 0
    assert len(found["sites"]) == 12
    assert png.stat().st_size > 10_000


def test_sqlite_is_refused_with_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setenv("NAYSAYER_DATA_DIR", str(tmp_path))
    monkeypatch.delenv("NAYSAYER_STORE_URL", raising=False)
    said = CliRunner().invoke(app, ["bench", "scale", *SMALL])
    assert said.exit_code == 1
    assert "name an empty database in NAYSAYER_STORE_URL" in str(said.exception)
