"""A list of what the files do not say: prompt, negative prompt, seed and model by file."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from feedback.metadata.bases import base_of_model
from feedback.metadata.found import UNKNOWN, Found, Status
from feedback.metadata.values import as_seed, as_text, model_name
from feedback.sample.lists.rows import Fault, bad_line, read_rows

Mapped = Mapping[str, Mapping[str, object]]
"""The rows by file."""
FIELDS = ("negative_prompt", "model")


def read_mapping(path: Path | None) -> Mapped:
    """The rows of a CSV, TSV or JSON-lines file by their column `file`; none without a list.

    Raises BadRequest, which names the line.
    """
    if path is None:
        return {}
    found: dict[str, Mapping[str, object]] = {}
    for row in read_rows(path):
        if not (name := as_text(row.fields.get("file"))):
            raise bad_line(path, Fault(row.line, "the column `file` names no file"))
        found[name] = row.fields
    return found


def supplied(found: Found, mapped: Mapped, name: str, known_bases: Mapping[str, str]) -> Found:
    """What is known of a picture with what the list says of it, by its place or bare name; the file's word stays."""
    row = mapped.get(name) or mapped.get(PurePosixPath(name).name)
    if row is None or found.status not in (Status.empty, Status.unrecognised, Status.partial, Status.ok):
        return found
    more: dict[str, Any] = {}
    if found.prompt is None and (prompt := as_text(row.get("prompt"))):
        more |= {"prompt": prompt, "tool": found.tool or "mapping"}
    if found.seed is None and (seed := as_seed(row.get("seed"))) is not None:
        more["seed"] = seed
    for field in FIELDS:
        if not getattr(found, field) and (text := as_text(row.get(field))):
            more[field] = model_name(text) if field == "model" else text
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
