"""Files beside a picture: A1111's `.txt`, SwarmUI's `.swarm.json`, `.json`, and Fooocus's log of a folder."""

from pathlib import Path

from feedback.metadata.files.fooocus_log import beside_log
from feedback.metadata.files.parts import MAX_TEXT, text_of
from feedback.metadata.found import RawText

ENDINGS = (".swarm.json", ".json", ".txt")


def beside(path: Path) -> list[RawText]:
    """The texts of the files beside a picture that share its name, with or without its ending; else the log's."""
    found = []
    for ending in ENDINGS:
        for sidecar in (path.with_suffix(ending), path.with_name(path.name + ending)):
            if sidecar.is_file() and 0 < sidecar.stat().st_size <= MAX_TEXT:
                found.append(RawText(f"sidecar{ending}", text_of_file(sidecar.read_bytes())))
                break
    return found or beside_log(path)


def text_of_file(data: bytes) -> str:
    """A sidecar's text: UTF-16 with a byte-order mark, UTF-8, or Latin-1."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", "replace")
    return text_of(data)
