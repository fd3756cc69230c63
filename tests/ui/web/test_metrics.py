"""Metrics, the schedule, and the lines that monitoring reads."""

import re
import shlex
import subprocess

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient
from typer.testing import CliRunner

from feedback.rate.queue import next_images
from feedback.rate.votes import Press, record_votes
from store.tables import Verdict
from ui.commands import app
from ui.run.schedule import schedule_words
from ui.web.metrics import metrics_routes, metrics_text

LINE = re.compile(r'naysayer_\w+(\{version="\d+"\})? -?\d+(\.\d+)?')


def test_the_metrics_are_prometheus_text_and_true(engine, settings, draw) -> None:
    draw(4)
    images = next_images(engine, "ada", count=2, overlap=1, lease_s=60)
    presses = [Press(f"request {image.image_id}", image.image_id, Verdict.reject) for image in images]
    record_votes(engine, "ada", presses, overlap=1, lease_s=60)
    text = metrics_text(engine, settings)
    values = [line for line in text.splitlines() if not line.startswith("#")]
    assert all(LINE.fullmatch(line) for line in values)
    assert {"naysayer_votes 2", "naysayer_pool_rejects 2", "naysayer_images_waiting 2"} <= set(values)
    assert 'naysayer_version_rejected{version="0"} 2' in values
    assert "ada" not in text
    named = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")}
    assert named == {re.split(r"[ {]", line)[0] for line in values}


@pytest.mark.parametrize(
    ("address", "is_open", "status"),
    [
        ("127.0.0.1", False, 200),
        ("::1", False, 200),
        ("10.0.0.7", False, 403),
        ("10.0.0.7", True, 200),
        ("x", False, 403),
    ],
)
def test_the_metrics_are_for_this_machine_unless_opened(address, is_open, status, engine, settings, draw) -> None:
    draw(1)
    opened = settings.model_copy(update={"metrics_open": is_open})
    client = TestClient(Starlette(routes=metrics_routes(lambda: engine, opened)), client=(address, 1))
    answer = client.get("/naysayer/metrics")
    assert answer.status_code == status
    assert ("naysayer_votes" in answer.text) == (status == 200)


def test_the_schedule_calls_retrain_whatever_the_folder_is_called(settings, tmp_path, monkeypatch) -> None:
    folder = tmp_path / "a folder of ours"
    folder.mkdir()
    monkeypatch.chdir(folder)
    words = schedule_words(settings.model_copy(update={"data_dir": folder / "data"}))
    [cron] = [line for line in words.splitlines() if line.startswith("* * * * *")]
    command = cron.removeprefix("* * * * * ")
    assert shlex.split(command)[:2] == ["cd", str(folder)]
    assert subprocess.run(["sh", "-n", "-c", command]).returncode == 0
    assert "OnCalendar=minutely" in words
    assert "SuccessExitStatus=75" in words


def test_the_command_line_withdraws_refuses_and_lists(settings, engine, publish_version, monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("NAYSAYER_DATA_DIR", str(settings.data_dir))
    publish_version(engine, 1)
    run = CliRunner()
    refused = run.invoke(app, ["promote", "1", "--reason", "why not"])
    assert "is missing" in str(refused.exception)
    forced = run.invoke(app, ["promote", "1", "--force", "--reason", "a test"])
    assert forced.output == "v1 is champion now\n"
    assert run.invoke(app, ["withdraw", "1"]).exit_code == 2
    assert run.invoke(app, ["withdraw", "1", "--reason", "bad"]).output == "v1 is withdrawn, v0 is champion\n"
    pairs = tmp_path / "pairs.tsv"
    pairs.write_text("prompt\tseed\na red star\t3\n")
    assert "1 pairs over 1 prompts" in run.invoke(app, ["evaluation", "import", str(pairs)]).output
    assert "set 1 (pairs)" in run.invoke(app, ["evaluation", "list"]).output
    assert "made anew" in run.invoke(app, ["recount"]).output
