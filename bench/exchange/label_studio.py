"""An exported folder in Label Studio: its tasks in, its pictures shown, its own JSON back as the same votes."""

import json
import tempfile
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from bench.exchange.filled import PAIRS, fill_and_export
from bench.rate.browser import free_port, serving
from bench.rate.label_studio import NAME, PASSWORD, PATIENCE_S, TOKEN, require
from feedback.exchange.incoming.said import Source
from feedback.exchange.incoming.take import import_votes
from store.files import sha256_of

KINDS = ("JSON", "JSON_MIN")


def measure_label_studio(program: Path) -> dict[str, Any]:
    """Of the exported votes and pictures: how many Label Studio took and shows, and what came back from it.

    `back` is, for each of its kinds of JSON, votes that are known again and those that would be new or are left out.
    Raises NaysayerError when the program is missing or does not start.
    """
    require(program)
    with tempfile.TemporaryDirectory(prefix="naysayer-bench-") as made:
        place = Path(made)
        filled = fill_and_export(place)
        port = free_port()
        user = ("--username", NAME, "--password", PASSWORD, "--user-token", TOKEN, "--enable-legacy-api-token")
        project = (
            "bench",
            "--init",
            "-l",
            str(filled.folder / "label-studio.xml"),
            "--data-dir",
            str(place / "studio"),
        )
        command = [str(program), "start", *project, *user, "-p", str(port), "--no-browser"]
        environment = {
            "LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED": "true",
            "LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT": str(place),
            "COLLECT_ANALYTICS": "False",
        }
        with serving(command, port, environment, health="/health", patience_s=PATIENCE_S) as url:
            return _there_and_back(url, filled.folder, filled.engine, place)


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


def _ask(url: str, body: bytes | None = None) -> bytes:
    headers = {"Authorization": f"Token {TOKEN}", "Content-Type": "application/json"}
    with urlopen(Request(url, body, headers), timeout=60) as answer:
        return answer.read()


def table(found: dict[str, Any]) -> str:
    """The figures in sentences."""
    back = "; ".join(
        f"its {kind} brings {one['known']} of {found['votes']} votes back as what they are, {one['new']} as new ones"
        for kind, one in found["back"].items()
    )
    taken = f"{found['tasks']} tasks with {found['annotations']} of {found['votes']} annotations"
    return f"Label Studio took {taken} and shows {found['pictures']} pictures; {back}"
