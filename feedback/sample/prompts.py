"""The prompt list that the sampler draws from."""

import csv
import json
from collections.abc import Iterable
from pathlib import Path

from sqlalchemy import Engine
from sqlmodel import col, select

from store.engine import reading, writing
from store.errors import BadRequest
from store.tables import Prompt

MAX_CHARACTERS = 2000


def add_prompts(engine: Engine, texts: Iterable[str], source: str = "") -> int:
    """How many prompts were new; blank lines and known ones are passed over.

    Raises BadRequest for an over-long prompt or one with control characters; then none is added.
    """
    wanted = list(dict.fromkeys(clean_prompt(text) for text in texts if text.strip()))
    with writing(engine) as session:
        known = set(session.exec(select(Prompt.text)))
        new = [text for text in wanted if text not in known]
        session.add_all(Prompt(text=text, source=source) for text in new)
    return len(new)


def list_prompts(engine: Engine) -> list[Prompt]:
    """Every prompt, oldest first."""
    with reading(engine) as session:
        return list(session.exec(select(Prompt).order_by(col(Prompt.id))))


def clean_prompt(text: str) -> str:
    """The prompt with single spaces. Raises BadRequest for an over-long one or one with control characters."""
    text = " ".join(text.split())
    if len(text) > MAX_CHARACTERS:
        raise BadRequest(
            f"a prompt of {len(text)} characters was given, {MAX_CHARACTERS} are allowed; shorten it: {text[:60]}…"
        )
    if not text.isprintable():
        raise BadRequest(f"the prompt {text[:60]!r} holds control characters; remove them")
    return text


def read_prompt_file(path: Path) -> list[str]:
    """The prompts of a text file (one a line), or of the `prompt` column of a `.tsv`, `.csv` or `.jsonl` file.

    Raises BadRequest when the file is no UTF-8 text, or has no such column.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadRequest(f"{path} cannot be read as UTF-8 text ({error}); nothing was imported") from error
    try:
        return _read_by_ending(path.suffix.lower(), text)
    except (KeyError, TypeError, ValueError, RecursionError, csv.Error) as error:
        raise BadRequest(
            f"{path.name} has no `prompt` in every row ({type(error).__name__}: {error}); give a text file with a "
            "prompt a line, or TSV, CSV or JSON lines with a `prompt` column; nothing was imported"
        ) from error


def _read_by_ending(ending: str, text: str) -> list[str]:
    lines = [line for line in text.splitlines() if line.strip()]
    if ending == ".jsonl":
        return [_field(json.loads(line)) for line in lines]
    if ending in (".tsv", ".csv"):
        return [_field(row) for row in csv.DictReader(lines, delimiter="\t" if ending == ".tsv" else ",")]
    return lines


def _field(row: dict[str, object]) -> str:
    names = {name.lower(): name for name in row if isinstance(name, str)}
    value = row[names["prompt"]]
    if not isinstance(value, str):
        raise TypeError(f"a prompt is {value!r}")
    return value
