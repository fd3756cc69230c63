"""The prompt list that the sampler draws from."""

from collections.abc import Iterable
from pathlib import Path

from sqlalchemy import Engine
from sqlmodel import col, select

from feedback.sample.list_files import DELIMITERS, Row, bad_row, read_lines, read_rows
from store.engine import reading, writing
from store.errors import BadRequest
from store.tables import Prompt

MAX_CHARACTERS = 2000
NEEDED = "`prompt`"


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
    if path.suffix.lower() not in (".jsonl", *DELIMITERS):
        return [line.text for line in read_lines(path)]
    return [_prompt_of(path, row) for row in read_rows(path, NEEDED)]


def _prompt_of(path: Path, row: Row) -> str:
    value = next((value for name, value in row.fields.items() if str(name).lower() == "prompt"), None)
    if not isinstance(value, str):
        raise bad_row(path, row.line, NEEDED, TypeError(f"its prompt is {value!r}"))
    return value
