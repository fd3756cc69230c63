"""One JSON line for every retrain that did anything, in `retrain.jsonl` of the data folder: for monitoring."""

import json
import time
from collections.abc import Callable
from typing import NamedTuple

from store.errors import Busy, Interrupted, NaysayerError
from store.files import make_folder
from store.settings import Settings
from store.tables import utc_now
from trainer.retrain.retrain import Outcome

LOG = "retrain.jsonl"


class Told(NamedTuple):
    """What a run came to, for people (nothing where an error says it) and as a JSON line."""

    sentence: str
    line: str


def logged(settings: Settings, run: Callable[[], Outcome], tell: Callable[[Told], None]) -> None:
    """Tells the outcome of a retrain, its line written; a run that fails is told and written too, its error goes on."""
    began = time.monotonic()
    try:
        outcome = run()
    except NaysayerError as error:
        word = "interrupted" if isinstance(error, Interrupted) else "busy" if isinstance(error, Busy) else "failed"
        tell(Told("", _write(settings, word, str(error), None, began)))
        raise
    word = "not due" if outcome.version is None else "published"
    tell(Told(outcome.sentence, _write(settings, word, outcome.sentence, outcome.version, began)))


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
    if word not in ("not due", "busy"):  # cron asks every minute; that it was not due is no news
        make_folder(settings.data_dir)
        with (settings.data_dir / LOG).open("a", encoding="utf-8") as file:
            file.write(line + "\n")
    return line
