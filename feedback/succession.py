"""Who is champion, who was before, and whose pairs the votes compare: all read from the events."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from sqlalchemy import func
from sqlmodel import Session, col, select

from store.tables import Action, Alias, AliasEvent, AliasName, Version

PLAIN = 0
AT_ONCE = "promoted at once after its retrain"
"""The reason of a promotion that nobody decided; only such a one is undone by itself."""


class Compared(NamedTuple):
    """Two versions whose pairs are rated; `is_live`: the newer one went live before."""

    new: int
    old: int
    is_live: bool


def newest_trained() -> Any:
    """Subquery: the newest version that was trained, not only given another strength."""
    newest = select(func.max(Version.number)).where(col(Version.strength_of).is_(None))
    return newest.correlate(None).scalar_subquery()


def usable_aliases(session: Session) -> tuple[int | None, int | None]:
    """Champion and challenger, as they can be drawn: the plain base for a damaged champion, no damaged challenger."""
    live, challenger = (alias_target(session, name) for name in (AliasName.champion, AliasName.challenger))
    damaged = set(session.exec(select(Version.number).where(Version.damage != "")))
    if damaged & {live, challenger}:
        return PLAIN if live in damaged else live, None
    return live, challenger


def alias_target(session: Session, name: AliasName) -> int | None:
    """The version that an alias names."""
    alias = session.get(Alias, name)
    return None if alias is None else alias.version


def reigns(events: Iterable[AliasEvent]) -> list[int]:
    """The champions still in force, oldest first.

    A promotion adds one, a rollback takes the last away, a withdrawal takes every reign of that version away. Events
    that a merge brought were of another store.
    """
    stack: list[int] = []
    for event in events:
        if event.id is not None and event.id < 1:
            continue
        if event.action is Action.withdraw:
            left = [number for number in stack if number != event.from_version]
            stack = [number for number, after in zip(left, [*left[1:], None], strict=True) if number != after]
        elif event.alias is not AliasName.champion:
            continue
        elif event.action is Action.roll_back:
            stack.pop()
        elif event.to_version is not None:
            stack.append(event.to_version)
    return stack


def replaced_by(session: Session, number: int) -> int | None:
    """The champion that a version took over from, as far as it still is one to go back to; for others None."""
    stack = reigns(session.exec(select(AliasEvent).order_by(col(AliasEvent.id))))
    return stack[-2] if len(stack) > 1 and stack[-1] == number else None


def compared(session: Session) -> Compared | None:
    """Whose pairs are rated: the challenger's and the champion's, else the champion's and those of the one before."""
    live, challenger = (alias_target(session, name) for name in (AliasName.champion, AliasName.challenger))
    if live is None:
        return None
    if challenger not in (None, live):
        return Compared(challenger, live, is_live=False)
    before = replaced_by(session, live)
    return None if before is None else Compared(live, before, is_live=True)


def promoted_at_once(session: Session) -> tuple[int, int] | None:
    """The champion and the one before it, when the champion's own retrain promoted it; else None."""
    live = alias_target(session, AliasName.champion)
    took_over = select(AliasEvent).where(AliasEvent.alias == AliasName.champion).order_by(col(AliasEvent.id).desc())
    last = session.exec(took_over.limit(1)).first()
    if live is None or last is None or (last.action, last.to_version, last.reason) != (Action.promote, live, AT_ONCE):
        return None
    before = replaced_by(session, live)
    return None if before is None else (live, before)
