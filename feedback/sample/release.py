"""Puts the pictures that compare versions into the queue, a few at a time."""

from sqlalchemy import ColumnElement, Engine, func, update
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from feedback.sample.evaluation import active_pairs
from feedback.versions import alias_target
from store.engine import reading, writing
from store.files import sha256_of
from store.tables import AliasName, Image, Origin, Vote


def release(engine: Engine, target: int, evaluation_share: float) -> int:
    """How many evaluation pictures of the challenger and the champion were put into the queue, blind and shuffled.

    So that pairs are split across time, a few wait at a time: `evaluation_share` of `target`.
    """
    with reading(engine) as session:
        found = _unreleased(session) if room_to_compare(session, target, evaluation_share) > 0 else []
    if not found:
        return 0
    with writing(engine) as session:
        room = max(0, room_to_compare(session, target, evaluation_share))
        still = _waits_for_release(session) & col(Image.id).in_(found[:room])
        return session.exec(update(Image).where(still).values(is_queued=True)).rowcount


def room_to_compare(session: Session, target: int, share: float) -> int:
    """How many evaluation pictures the queue has room for; none without a challenger."""
    if share <= 0 or alias_target(session, AliasName.challenger) is None:
        return 0
    waiting = select(func.count(col(Image.id))).where(
        col(Image.is_queued), Image.origin == Origin.evaluation, nobody_judged()
    )
    return max(1, round(share * target)) - session.exec(waiting).one()


def _unreleased(session: Session) -> list[int | None]:
    """Ids of the evaluation pictures that wait for `release`, in an order that tells nothing."""
    challenger = alias_target(session, AliasName.challenger)
    wanted = {(pair.prompt_id, pair.seed) for pair in active_pairs(session)}
    columns = select(Image.id, Image.prompt_id, Image.seed, Image.work_key)
    drawn = session.exec(columns.where(_waits_for_release(session)))
    found = [(sha256_of(f"{challenger} {key}".encode()), id) for id, *pair, key in drawn if tuple(pair) in wanted]
    return [id for _, id in sorted(found)]


def _waits_for_release(session: Session) -> ColumnElement[bool]:
    """An evaluation picture of champion or challenger that never was in the queue, the newest of its pair."""
    compared = [alias_target(session, name) for name in (AliasName.champion, AliasName.challenger)]
    is_compared = col(Image.version).in_(compared) & (Image.origin == Origin.evaluation)
    newer = aliased(Image)
    same = (newer.version == Image.version, newer.prompt_id == Image.prompt_id, newer.seed == Image.seed)
    is_drawn_again = (
        select(newer.id).where(*same, newer.origin == Origin.evaluation, col(newer.id) > col(Image.id)).exists()
    )
    return is_compared & ~col(Image.is_queued) & nobody_judged() & ~is_drawn_again


def nobody_judged() -> ColumnElement[bool]:
    return ~select(Vote.id).where(Vote.image_id == Image.id).exists()
