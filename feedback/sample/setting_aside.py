"""Prompts that are paused, removed, restored or weighed: by their text or number, their source, or their import."""

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from sqlalchemy import Engine
from sqlmodel import Session, col, select

from feedback.sample.evaluation import active_pairs
from feedback.sample.prompts import prompts_by_words
from store.engine import reading, writing
from store.errors import BadRequest
from store.tables import Prompt, PromptImport
from store.texts import find_control, with_single_spaces


class Change(StrEnum):
    """What happens to prompts.

    A paused one still belongs to its evaluation pairs; a removed one is never drawn again, not even for those. Neither
    loses its pictures and votes, and both can be restored.
    """

    pause = "pause"
    remove = "remove"
    restore = "restore"


MOST_WEIGHT = 10


class Which(NamedTuple):
    """Which prompts: these texts, all of one source, all that one import brought, or these ids; exactly one of them."""

    texts: Sequence[str] = ()
    source: str = ""
    number: int | None = None
    ids: Sequence[int] = ()


class Changed(NamedTuple):
    """How many prompts were changed, and how many pairs the evaluation set in use lost (or got back)."""

    prompts: int
    pairs: int


def change_prompts(engine: Engine, which: Which, change: Change) -> Changed:
    """Pauses, removes or restores prompts, all or none. Raises BadRequest for one that is not there."""
    with writing(engine) as session:
        chosen = _find(session, which)
        before = len(active_pairs(session))
        changed = sum(_apply(prompt, change) for prompt in chosen)
        session.add_all(chosen)
        session.flush()
        return Changed(changed, abs(before - len(active_pairs(session))))


def weigh_prompts(engine: Engine, which: Which, weight: int) -> int:
    """How many prompts got another weight: in each round of the list, pictures are drawn from each so many times.

    Raises BadRequest for a weight that is none, or a prompt that is not there.
    """
    if not 1 <= weight <= MOST_WEIGHT:
        raise BadRequest(f"a weight is a whole number from 1 to {MOST_WEIGHT}; {weight} was given; nothing was changed")
    with writing(engine) as session:
        changed = [prompt for prompt in _find(session, which) if prompt.weight != weight]
        for prompt in changed:
            prompt.weight = weight
        session.add_all(changed)
        return len(changed)


def would_lose(engine: Engine, which: Which) -> Changed:
    """How many prompts a removal would change, and how many pairs of the evaluation set in use would go with them."""
    with reading(engine) as session:
        chosen = {prompt.id for prompt in _find(session, which) if not prompt.is_removed}
        return Changed(len(chosen), sum(pair.prompt_id in chosen for pair in active_pairs(session)))


def _apply(prompt: Prompt, change: Change) -> bool:
    was = (prompt.is_active, prompt.is_removed)
    if change is Change.restore:
        prompt.is_active, prompt.is_removed = prompt.import_id is not None, False
    else:
        prompt.is_active, prompt.is_removed = False, prompt.is_removed or change is Change.remove
    return was != (prompt.is_active, prompt.is_removed)


def _find(session: Session, which: Which) -> list[Prompt]:
    if bool(which.texts) + bool(which.source) + (which.number is not None) + bool(which.ids) != 1:
        raise BadRequest("give either prompts, or --source, or --import; nothing was changed")
    if which.ids:
        found = list(session.exec(select(Prompt).where(col(Prompt.id).in_(which.ids))))
        if len(found) < len(set(which.ids)):
            raise BadRequest("one of the prompts is not in the list any more; nothing was changed")
        return found
    if which.texts:
        known = prompts_by_words(session)
        if unknown := [text for text in which.texts if with_single_spaces(text) not in known]:
            raise BadRequest(
                f"{unknown[0][:60]!r} is no prompt of the list (`prompts list --all`); nothing was changed"
            )
        return [known[with_single_spaces(text)] for text in which.texts]
    if which.source:
        is_text = not find_control(which.source)  # no database takes half a character
        found = list(session.exec(select(Prompt).where(Prompt.source == which.source))) if is_text else []
        if not found:
            raise BadRequest(f"no prompt came from {which.source[:60]!r} (`prompts imports`); nothing was changed")
        return found
    number = which.number if which.number is not None and 0 < which.number < 2**31 else 0
    if session.get(PromptImport, number) is None:
        raise BadRequest(f"there is no import {which.number} (`prompts imports`); nothing was changed")
    return list(session.exec(select(Prompt).where(col(Prompt.import_id) == number)))
