"""Prompts that are longer than the model reads: SDXL's text encoders take 77 tokens, and nobody tells what they drop.

That is so with NAYSAYER_PROMPT_WEIGHTING=off; else a long prompt is read in several texts, and nothing is dropped.

A worker, `naysayer doctor` or `naysayer count-tokens` counts with the model's tokenizers and keeps the result with each
prompt; a prompt so short that no tokenizer could cut it needs no counting.
"""

from collections.abc import Callable, Collection, Sequence

from sqlalchemy import Engine, func, update
from sqlmodel import Session, col, select

from store.engine import reading, writing
from store.tables import Prompt

MOST_TOKENS = 75  # CLIP's 77 less the two that begin and end every text
PORTION = 500  # prompts whose counts are written at once; votes wait meanwhile
NAMED = 3  # prompts that a sentence names
SHOWN = 40  # characters of each


def is_surely_read(text: str) -> bool:
    """Whether no tokenizer could cut the text: each of its tokens is at least one byte."""
    return len(text.lower().encode()) <= MOST_TOKENS


def count_read(
    engine: Engine, characters_read: Callable[[str], int] | None, ids: Collection[int] | None = None
) -> None:
    """Counts and keeps how many characters the model reads of each prompt (of `ids`) that was not counted yet.

    Without a function the model reads every prompt to its end, and counts that say otherwise are taken back.
    """
    if characters_read is None:
        _forget_cuts(engine)
        return
    with reading(engine) as session:
        waiting = _uncounted(session, ids)
    for start in range(0, len(waiting), PORTION):
        portion = waiting[start : start + PORTION]
        counted = [{"id": row.id, "read_characters": characters_read(row.text)} for row in portion]
        with writing(engine) as session:
            session.execute(update(Prompt), counted)


def cut_prompts(engine: Engine, import_id: int | None = None) -> list[Prompt]:
    """The prompts in use (of one import) that the model does not read to their end."""
    with reading(engine) as session:
        rows = select(Prompt).where(col(Prompt.is_active), col(Prompt.read_characters).is_not(None))
        if import_id is not None:
            rows = rows.where(Prompt.import_id == import_id)
        return [row for row in session.exec(rows.order_by(col(Prompt.id))) if first_missed(row)]


def has_uncounted(engine: Engine, import_id: int) -> bool:
    """Whether a prompt of the import was not counted yet."""
    with reading(engine) as session:
        waiting = select(Prompt.id).where(Prompt.import_id == import_id, col(Prompt.read_characters).is_(None))
        return session.exec(waiting.limit(1)).first() is not None


def first_missed(prompt: Prompt) -> str:
    """The first word of a prompt that the model does not read, or not to its end; empty when it reads all.

    >>> first_missed(Prompt(text="a red star", read_characters=4))
    'red'
    """
    text, read = prompt.text, prompt.read_characters
    if read is None or not text[read:].strip():
        return ""
    start = read if text[read].isspace() else text.rfind(" ", 0, read) + 1
    return text[start:].split()[0]


def cut_sentence(cut: Sequence[Prompt]) -> str:
    """What is said of prompts that are cut; empty without any.

    >>> cut_sentence([Prompt(text="a red star", read_characters=5)])
    "the model does not read 1 prompt to its end (it stops before 'star' in 'a red star'); shorten it"
    """
    if not cut:
        return ""
    named = ", ".join(f"before {first_missed(one)[:SHOWN]!r} in {_shortened(one.text)!r}" for one in cut[:NAMED])
    more = f", and {len(cut) - NAMED} more" if len(cut) > NAMED else ""
    what, them = ("1 prompt to its end", "it") if len(cut) == 1 else (f"{len(cut)} prompts to their end", "them")
    return f"the model does not read {what} (it stops {named}{more}); shorten {them}"


def _shortened(text: str) -> str:
    return text if len(text) <= SHOWN else text[:SHOWN] + "…"


def _forget_cuts(engine: Engine) -> None:
    with writing(engine) as session:
        is_cut = col(Prompt.read_characters) < func.length(Prompt.text)
        session.execute(update(Prompt).where(is_cut).values(read_characters=None))


def _uncounted(session: Session, ids: Collection[int] | None) -> Sequence[Prompt]:
    rows = select(Prompt).where(col(Prompt.read_characters).is_(None))
    return session.exec(rows if ids is None else rows.where(col(Prompt.id).in_(ids))).all()
