"""Puts the pictures that compare versions into the queue, a few at a time."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Engine, func, update
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from feedback.sample.evaluation import active_pairs
from feedback.succession import Compared, compared
from store.engine import reading, writing
from store.files import sha256_of
from store.tables import EvaluationPair, Image, Origin, Vote

AFTER_PROMOTION = 12
"""Pairs that are judged of a champion and the version that it replaced, when no challenger is."""


def release(engine: Engine, target: int, evaluation_share: float) -> int:
    """How many evaluation pictures of two versions were put into the queue, blind and shuffled.

    So that pairs are split across time, a few wait at a time: `evaluation_share` of `target`.
    """
    with reading(engine) as session:
        found = _unreleased(session) if room_to_compare(session, target, evaluation_share) > 0 else []
    if not found:
        return 0
    with writing(engine) as session:
        room = max(0, room_to_compare(session, target, evaluation_share))
        still = _waits_for_release(compared(session)) & col(Image.id).in_(found[:room])
        return session.exec(update(Image).where(still).values(is_queued=True)).rowcount


def room_to_compare(session: Session, target: int, share: float) -> int:
    """How many evaluation pictures the queue has room for; none where no two versions are to be compared."""
    if share <= 0 or not pairs_to_judge(session):
        return 0
    waiting = select(func.count(col(Image.id))).where(
        col(Image.is_queued), Image.origin == Origin.evaluation, nobody_judged()
    )
    return max(1, round(share * target)) - session.exec(waiting).one()


def pairs_to_judge(session: Session) -> Sequence[EvaluationPair]:
    """The pairs that raters should judge: all for a challenger, the first few for a champion beside the one before.

    A champion with so many votes on its pairs already needs no more.
    """
    found = compared(session)
    if found is None:
        return []
    pairs = active_pairs(session)
    if not found.is_live:
        return pairs
    judged = select(func.count(col(Image.id))).where(
        Image.version == found.new, Image.origin == Origin.evaluation, ~nobody_judged()
    )
    return [] if session.exec(judged).one() >= AFTER_PROMOTION else pairs[:AFTER_PROMOTION]


def _unreleased(session: Session) -> list[int | None]:
    """Ids of the evaluation pictures that wait for `release`, in an order that tells nothing."""
    found = compared(session)
    wanted = {(pair.prompt_id, pair.seed) for pair in pairs_to_judge(session)}
    columns = select(Image.id, Image.prompt_id, Image.seed, Image.work_key)
    drawn = session.exec(columns.where(_waits_for_release(found)))
    shuffled = [
        (sha256_of(f"{found and found.new} {key}".encode()), id) for id, *pair, key in drawn if tuple(pair) in wanted
    ]
    return [id for _, id in sorted(shuffled)]


def _waits_for_release(found: Compared | None) -> ColumnElement[bool]:
    """An evaluation picture of the two versions that never was in the queue, the newest of its pair."""
    is_compared = col(Image.version).in_([] if found is None else [found.new, found.old])
    newer = aliased(Image)
    same = (newer.version == Image.version, newer.prompt_id == Image.prompt_id, newer.seed == Image.seed)
    is_drawn_again = (
        select(newer.id).where(*same, newer.origin == Origin.evaluation, col(newer.id) > col(Image.id)).exists()
    )
    is_evaluation = is_compared & (Image.origin == Origin.evaluation)
    return is_evaluation & ~col(Image.is_queued) & nobody_judged() & ~is_drawn_again


def nobody_judged() -> ColumnElement[bool]:
    return ~select(Vote.id).where(Vote.image_id == Image.id).exists()
