"""An exported folder in Label Studio: its tasks in, its pictures shown, its own JSON back as the same votes."""

import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from bench.exchange.filled import PAIRS, fill_and_export
from bench.rate.browser import free_port, serving
from bench.rate.label_studio import CHOICES, NAME, PASSWORD, PATIENCE_S, TOKEN, require
from feedback.exchange.incoming.said import Source
from feedback.exchange.incoming.take import import_votes
from store.errors import NaysayerError
from store.files import sha256_of

KINDS = ("JSON", "JSON_MIN")
HOUR_S = 3600


def measure_label_studio(program: Path) -> dict[str, Any]:
    """Of the exported votes and pictures: how many Label Studio took and shows, and what came back from it.

    `back` is, for each of its kinds of JSON, votes that are known again and those that would be new or are left out.
    Raises NaysayerError when the program is missing or does not start.
    """
    require(program)
    with tempfile.TemporaryDirectory(prefix="naysayer-bench-") as made:
        place = Path(made)
        filled = fill_and_export(place)
        with _started(program, place, filled.folder / "label-studio.xml") as url:
            return _there_and_back(url, filled.folder, filled.engine, place)


def time_local_files(program: Path, folder: Path, count: int) -> float:
    """Seconds that Label Studio takes to make tasks of the pictures of a folder, as local files.

    Raises NaysayerError when it makes another number of tasks.
    """
    with tempfile.TemporaryDirectory(prefix="naysayer-bench-") as made:
        choices = Path(made) / "choices.xml"
        choices.write_text(CHOICES, encoding="utf-8")
        with _started(program, Path(made), choices, folder.parent) as url:
            storage = {"project": 1, "path": str(folder), "use_blob_urls": True, "regex_filter": r".*\.png"}
            number = json.loads(_ask(f"{url}/api/storages/localfiles", json.dumps(storage).encode()))["id"]
            began = time.monotonic()
            _ask(f"{url}/api/storages/localfiles/{number}/sync", b"{}", patience_s=HOUR_S)
            took = time.monotonic() - began
            tasks = json.loads(_ask(f"{url}/api/projects/1"))["task_number"]
    if tasks != count:
        raise NaysayerError(f"Label Studio made {tasks} tasks of {count} pictures; its messages are above")
    return took


@contextmanager
def _started(program: Path, place: Path, choices: Path, root: Path | None = None) -> Iterator[str]:
    """The address of a Label Studio with its data in `place`, which may show the files below `root`."""
    port = free_port()
    user = ("--username", NAME, "--password", PASSWORD, "--user-token", TOKEN, "--enable-legacy-api-token")
    project = ("bench", "--init", "-l", str(choices), "--data-dir", str(place / "studio"))
    command = [str(program), "start", *project, *user, "-p", str(port), "--no-browser"]
    environment = {
        "LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED": "true",
        "LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT": str(root or place),
        "COLLECT_ANALYTICS": "False",
    }
    with serving(command, port, environment, health="/health", patience_s=PATIENCE_S) as url:
        yield url


def _there_and_back(url: str, folder: Path, engine: Any, place: Path) -> dict[str, Any]:
    tasks = (folder / "label-studio.json").read_bytes()
    said = json.loads(_ask(f"{url}/api/projects/1/import", tasks))
    storage = {"project": 1, "path": str(folder / "train"), "use_blob_urls": True}
    _ask(f"{url}/api/storages/localfiles", json.dumps(storage).encode())
    data = [task["data"] for task in json.loads(tasks)]
    shown = sum(sha256_of(_ask(f"{url}{one['image']}")) == one["sha256"] for one in data)
    back = {}
    for kind in KINDS:
        path = place / f"{kind}.json"
        path.write_bytes(_ask(f"{url}/api/projects/1/export?exportType={kind}"))
        report = import_votes(engine, Source(path), 1)
        back[kind] = {"known": report.known, "new": report.recorded, "left_out": dict(report.left)}
    found = {"votes": 2 * PAIRS, "tasks": said["task_count"], "annotations": said["annotation_count"]}
    return found | {"pictures": shown, "back": back}


def _ask(url: str, body: bytes | None = None, patience_s: float = 60) -> bytes:
    headers = {"Authorization": f"Token {TOKEN}", "Content-Type": "application/json"}
    with urlopen(Request(url, body, headers), timeout=patience_s) as answer:
        return answer.read()


def table(found: dict[str, Any]) -> str:
    """The figures in sentences."""
    back = "; ".join(
        f"its {kind} brings {one['known']} of {found['votes']} votes back as what they are, {one['new']} as new ones"
        for kind, one in found["back"].items()
    )
    taken = f"{found['tasks']} tasks with {found['annotations']} of {found['votes']} annotations"
    return f"Label Studio took {taken} and shows {found['pictures']} pictures; {back}"
