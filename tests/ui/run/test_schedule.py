"""The lines that start retrains by the clock."""

import shlex
import subprocess

from ui.run.schedule import schedule_words


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
