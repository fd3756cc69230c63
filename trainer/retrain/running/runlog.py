"""One JSON line for every retrain that did anything, in `retrain.jsonl` of the data folder, for monitoring."""

import json
import time
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from store.errors import Busy, Interrupted, NaysayerError
from store.settings import Settings
from store.tables import utc_now
from trainer.retrain.retrain import RetrainResult

LOG = "retrain.jsonl"


class Report(NamedTuple):
    """How a run ended, for people (empty where an error says it) and as a JSON line."""

    sentence: str
    line: str


def log_run(settings: Settings, run: Callable[[], RetrainResult], report: Callable[[Report], None]) -> None:
    """Runs a retrain, writes its line and reports it; so too for a run that fails, whose error is raised again."""
    began = time.monotonic()
    try:
        result = run()
    except NaysayerError as error:
        word = "interrupted" if isinstance(error, Interrupted) else "busy" if isinstance(error, Busy) else "failed"
        report(Report("", _write(settings, word, str(error), None, began)))
        raise
    word = "not due" if result.version is None else "published"
    report(Report(result.sentence, _write(settings, word, result.sentence, result.version, began)))


def _write(settings: Settings, word: str, sentence: str, version: int | None, began: float) -> str:
    line = json.dumps(
        {
            "at": f"{utc_now():%Y-%m-%dT%H:%M:%SZ}",
            "outcome": word,
            "version": version,
            "seconds": round(time.monotonic() - began, 1),
            "sentence": sentence,
        }
    )
    if word not in ("not due", "busy"):  # cron asks every minute
        with suppress(OSError), (settings.data_dir / LOG).open("a", encoding="utf-8") as file:  # never hides an error
            file.write(line + "\n")
    return line
