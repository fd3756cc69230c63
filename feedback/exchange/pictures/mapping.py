"""Lists of what the files do not say: prompt, negative prompt, seed, model and settings by file."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path, PurePath, PurePosixPath
from typing import Any

from feedback.exchange.outgoing.rows import without_apostrophe
from feedback.exchange.pictures.sources import Source
from feedback.metadata.bases import base_of_model
from feedback.metadata.files.refused import Refused
from feedback.metadata.found import UNKNOWN, Found, Status
from feedback.metadata.values import as_number, as_seed, as_steps, as_text, model_name
from feedback.sample.lists.rows import MAX_BYTES, Fault, Row, bad_line, read_rows
from store.errors import BadRequest
from store.phrases import plural

NAMES = {"file_name": "file", "caption": "prompt", "text": "prompt", "guidance": "guidance_scale"}
"""What the Hub's imagefolder, diffusers' scripts and our own exports call the columns."""
MORE: Mapping[str, Callable[[object], Any]] = {
    "seed": as_seed,
    "steps": as_steps,
    "guidance_scale": as_number,
    "negative_prompt": as_text,
    "model": model_name,
}
"""What a list may say beside the prompt, and how it is read."""
Said = Mapping[str, object]


class Mapped:
    """What lists say of files, by column. Of a file's path and a list's, either may go on where the other begins.

    `then` is asked of a file that the rows say nothing of.
    """

    def __init__(self, rows: Iterable[tuple[str, Said]] = (), then: "Mapped | None" = None) -> None:
        self._then = then
        self._by_name: dict[str, dict[PurePath, Said]] = defaultdict(dict)
        for name, said in rows:
            path = PurePosixPath(name.replace("\\", "/"))
            self._by_name[path.name][path] = said

    def find(self, name: str) -> Said | None:
        """What is said of a file; None where that is nothing, or may be said of several.

        >>> Mapped([("train/a.png", {"seed": 1}), ("test/a.png", {"seed": 2})]).find("out/test/a.png")
        {'seed': 2}
        """
        return self._find(PurePosixPath(name)) or (self._then.find(name) if self._then else None)

    def _find(self, path: PurePosixPath) -> Said | None:
        rows = self._by_name.get(path.name, {})
        if path in rows:
            return rows[path]
        alike = [(min(len(one.parts), len(path.parts)), said) for one, said in rows.items() if ends_alike(one, path)]
        nearest = [said for parts, said in alike if parts == max(alike, key=lambda one: one[0])[0]]
        return nearest[0] if len(nearest) == 1 else None


def ends_alike(one: PurePath, other: PurePath) -> bool:
    """Whether one path is the end of the other: where the folder with the pictures lies is nobody's business."""
    shorter = min(len(one.parts), len(other.parts))
    return one.parts[-shorter:] == other.parts[-shorter:]


def read_mapping(*paths: Path, then: Mapped | None = None) -> Mapped:
    """Lists, .csv, .tsv or .jsonl, with the columns `file` (or `file_name`) and `prompt` (`caption`, `text`).

    `then` is asked of a file that they say nothing of. Raises BadRequest, which names the line.
    """
    return Mapped((row for path in paths for row in _rows(path, read_rows(path, aliases=NAMES))), then)


def own_mapping(source: Source, say: Callable[[str], None]) -> Mapped:
    """The lists that lie among the pictures, as in an imagefolder. `say` is told of each, also why one is not used."""
    found: list[tuple[str, Said]] = []
    for name in source.lists():
        path = Path(name)
        try:
            rows = list(_rows(path, read_rows(path, _content(source, name), NAMES)))
        except (BadRequest, Refused) as error:
            say(f"{name} is not used: {str(error).removesuffix('; nothing was imported')}")
            continue
        say(f"{name} says what the files do not, in {plural(len(rows), 'row')}")
        found += [((path.parent / file).as_posix(), said) for file, said in rows]
    return Mapped(found)


def _content(source: Source, name: str) -> bytes:
    content = source.read(name, MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise Refused(f"it has more than {MAX_BYTES // 10**6} MB; split it")
    return content


def _rows(path: Path, rows: Iterable[Row]) -> Iterator[tuple[str, Said]]:
    for row in rows:
        said = row.fields if row.is_typed else {name: without_apostrophe(cell) for name, cell in row.fields.items()}
        if not (name := as_text(said.get("file"))):
            raise bad_line(path, Fault(row.line, "the column `file` (or `file_name`) names no file"))
        yield name, said


def supplied(found: Found, mapped: Mapped, name: str, known_bases: Mapping[str, str]) -> Found:
    """What is known of a picture with what the list says of it; the file's word stays."""
    row = mapped.find(name)
    if row is None or found.status not in (Status.empty, Status.unrecognised, Status.partial, Status.ok):
        return found
    more: dict[str, Any] = {}
    if found.prompt is None and (prompt := as_text(row.get("prompt"))):
        more |= {"prompt": prompt, "tool": found.tool or "mapping"}
    for field, read in MORE.items():
        if getattr(found, field) in (None, "") and (value := read(row.get(field))) not in (None, ""):
            more[field] = value
    full = replace(found, **more)
    if full.prompt is None:
        return found
    base = full.base if full.base != UNKNOWN else base_of_model(full.model, full.model_hash, known_bases)
    has_seed = full.seed is not None
    why = found.why if found.status in (Status.ok, Status.partial) else ""
    return replace(
        full,
        base=base,
        status=Status.ok if has_seed else Status.partial,
        why=why if not has_seed or found.seed is not None else "",
    )
