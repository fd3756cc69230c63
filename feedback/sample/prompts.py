"""The prompt list that the sampler draws from."""

from collections import Counter
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Engine, func, insert
from sqlmodel import Session, col, select

from feedback.sample.cut_prompts import is_surely_read
from feedback.sample.lists.rows import Fault, Row, bad_line, read_rows
from store.engine import reading, writing
from store.errors import BadRequest
from store.tables import Prompt, PromptImport
from store.texts import find_control, on_one_line, with_single_spaces

MAX_CHARACTERS = 2000


class PromptState(StrEnum):
    """What becomes of a prompt: pictures are drawn from it, or only for its evaluation pairs, or not at all."""

    used = "in use"
    paused = "paused"
    evaluated = "only evaluated"
    removed = "removed"


class Listed(NamedTuple):
    """A prompt of a file and the number of its line."""

    line: int
    text: str


class Imported(NamedTuple):
    """What an import did: its number (none when no prompt was new) and how many prompts were new.

    Of the others, `set_aside` are paused or removed, and stay so.
    """

    number: int | None
    new: int
    set_aside: int


class ImportRow(NamedTuple):
    """One import, as it is listed."""

    number: int
    source: str
    day: str
    active: int
    paused: int
    removed: int


def add_prompts(engine: Engine, texts: Iterable[str], source: str = "") -> int:
    """How many prompts were new; otherwise as `import_prompts`."""
    return import_prompts(engine, texts, source).new


def import_prompts(engine: Engine, texts: Iterable[str], source: str) -> Imported:
    """Adds the prompts that are new, as one import; blank ones are passed over, paused and removed ones stay so.

    Raises BadRequest for an over-long prompt or one with control characters; then none is added.
    """
    wanted: dict[str, str] = {}
    for text in texts:
        if key := with_single_spaces(text):
            wanted.setdefault(key, clean_prompt(text))
    with writing(engine) as session:
        known = prompts_by_words(session)
        old = [known[key] for key in wanted if key in known]
        only_evaluated = [prompt for prompt in old if prompt.import_id is None and not prompt.is_removed]
        listed = [prompt for prompt in old if prompt.import_id is not None or prompt.is_removed]
        set_aside = sum(not prompt.is_active for prompt in listed)
        fresh = [_fresh(text) for key, text in wanted.items() if key not in known]
        if not fresh and not only_evaluated:
            return Imported(None, 0, set_aside)
        row = PromptImport(source=source)
        session.add(row)
        session.flush()
        for prompt in only_evaluated:
            prompt.import_id, prompt.source, prompt.is_active = row.id, source, True
            session.add(prompt)
        if fresh:  # in one statement, because votes wait meanwhile
            listing = {"source": source, "import_id": row.id, "is_active": True}
            session.execute(insert(Prompt), [prompt.model_dump(exclude={"id"}) | listing for prompt in fresh])
        return Imported(row.id, len(fresh) + len(only_evaluated), set_aside)


def prompts_by_words(session: Session) -> dict[str, Prompt]:
    """Every prompt by what makes two prompts one."""
    return {with_single_spaces(prompt.text): prompt for prompt in session.exec(select(Prompt))}


def list_prompts(engine: Engine) -> list[Prompt]:
    """Every prompt, oldest first; those that are paused, removed or only evaluated too."""
    with reading(engine) as session:
        return list(session.exec(select(Prompt).order_by(col(Prompt.id))))


def list_imports(engine: Engine) -> list[ImportRow]:
    """Every import, oldest first, with what became of its prompts."""
    with reading(engine) as session:
        states = session.exec(select(Prompt.import_id, Prompt.is_active, Prompt.is_removed)).all()
        rows = session.exec(select(PromptImport).order_by(col(PromptImport.id))).all()
    counts = Counter(states)
    return [
        ImportRow(
            row.id or 0,
            row.source,
            f"{row.created_at:%Y-%m-%d}",
            *(counts[row.id, *state] for state in ((True, False), (False, False), (False, True))),
        )
        for row in rows
    ]


def clean_prompt(text: str) -> str:
    """The prompt on one line, otherwise as it was written. Raises BadRequest for one that cannot be drawn from."""
    if fault := _fault_of(text):
        raise BadRequest(f"the prompt {text.strip()[:60]!r} {fault}")
    return on_one_line(text)


def read_prompt_file(path: Path, content: bytes | None = None) -> list[Listed]:
    """The prompts of a text file (one a line), or those under `prompt` in a table or a JSON file.

    `content` is what the file holds, where it is read already. Raises BadRequest, which names the line.
    """
    return [Listed(row.line, prompt_of(path, row)) for row in read_rows(path, content)]


def prompt_of(path: Path, row: Row) -> str:
    """The prompt of a row, cleaned. Raises BadRequest, which names the line."""
    value = row.fields.get("prompt")
    if value is None:
        raise bad_line(path, Fault(row.line, "there is no `prompt`; give every row one"))
    if not isinstance(value, str):
        raise bad_line(path, Fault(row.line, f"the prompt {str(value)[:40]} is no text; put it in quotes"))
    if fault := _fault_of(value):
        raise bad_line(path, Fault(row.line, f"the prompt {value.strip()[:60]!r} {fault}"))
    return on_one_line(value)


def state_of(prompt: Prompt) -> PromptState:
    """What becomes of a prompt."""
    if prompt.is_removed:
        return PromptState.removed
    if prompt.import_id is None:
        return PromptState.evaluated
    return PromptState.used if prompt.is_active else PromptState.paused


def count_active(engine: Engine) -> int:
    """How many prompts pictures are drawn from."""
    with reading(engine) as session:
        return session.exec(select(func.count(col(Prompt.id))).where(col(Prompt.is_active))).one()


def has_list(engine: Engine) -> bool:
    """Whether any prompt was ever put on the list; those of an evaluation set are not on it."""
    with reading(engine) as session:
        return session.exec(select(PromptImport.id).limit(1)).first() is not None


def ensure_prompt(session: Session, text: str) -> int:
    """The id of a cleaned prompt, which is added where it is new, as one that nothing is drawn from."""
    known = session.exec(select(Prompt.id).where(Prompt.text == text)).first()
    if known is not None:
        return known
    prompt = _fresh(text)
    session.add(prompt)
    session.flush()
    assert prompt.id is not None
    return prompt.id


def _fresh(text: str) -> Prompt:
    return Prompt(text=text, is_active=False, read_characters=len(text) if is_surely_read(text) else None)


def _fault_of(text: str) -> str:
    """What is wrong with a prompt, for the end of a sentence; empty when nothing is."""
    line = on_one_line(text)
    if not with_single_spaces(text):
        return "is empty; take it out"
    if len(line) > MAX_CHARACTERS:
        return f"has {len(line):,} characters, {MAX_CHARACTERS:,} are allowed; shorten it"
    if control := find_control(line):
        return f"holds the control character {control}; take it out"
    return ""
