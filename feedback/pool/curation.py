"""The pool by hand: take pictures out, put them back, overrule their verdict; and undo that.

A curator's verdict is kept beside the raters' votes and counts in their place: in the pool, in retrains, in the rates.
Pictures that compare versions have none: the gate believes only people who did not know the version, and a curator sees
it. Whatever is decided is a row of `pool_event`; undoing adds rows too.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Engine, func, insert, update
from sqlalchemy import select as rows_of
from sqlmodel import Session, col, select

from feedback.pool.counting import Change, image_counts, write_changes
from feedback.pool.counts import POOLED
from feedback.pool.tally import count_new_rejects
from feedback.pool.verdicts import IN_OR_OUT, KEEPS, REJECTS, RULED, RULINGS
from store.engine import reading, writing
from store.errors import BadRequest, UnknownImage
from store.tables import Image, ImageTally, Origin, PoolAction, PoolEvent, Verdict, VersionTally, utc_now

MAX_REASON = 200
MOST_AT_ONCE = 10_000
KINDS = {action: kind for kind in (IN_OR_OUT, RULINGS) for action in kind}
USUAL = {IN_OR_OUT: PoolAction.restore, RULINGS: PoolAction.follow}
"""What holds of a picture of which nothing was decided: it is in the pool, and its verdict follows the votes."""
HOLDS = {
    PoolAction.exclude: "out of the pool",
    PoolAction.restore: "in the pool",
    PoolAction.reject: "a reject by a curator's verdict",
    PoolAction.keep: "a keep by a curator's verdict",
    PoolAction.follow: "judged by the votes",
}


class Decided(NamedTuple):
    """So many pictures of which one thing was decided: rows `first` to `last` of `pool_event`."""

    first: int
    last: int
    pictures: int


class Decision(NamedTuple):
    """What was decided of some pictures, by whom and why."""

    decided: Decided
    action: PoolAction
    by: str
    reason: str
    at: datetime


def curate(engine: Engine, images: Iterable[int], action: PoolAction, *, by: str, reason: str) -> Decided:
    """Decides the same of all these pictures; their votes stay. Those of which it holds already are left as they are.

    Raises UnknownImage; BadRequest without a reason, for too many pictures, for one that is not of the pool, or when it
    holds of all already. To overrule a verdict there must be one, so a picture without votes is refused.
    """
    wanted, reason = sorted(set(images)), reason.strip()
    if not 0 < len(reason) <= MAX_REASON:
        raise BadRequest(f"say why, in 1 to {MAX_REASON} characters; nothing was changed")
    if len(wanted) > MOST_AT_ONCE:
        raise BadRequest(f"{len(wanted):,} pictures are more than {MOST_AT_ONCE:,} at once; narrow the filter")
    with writing(engine) as session:
        _require_pooled(session, wanted, action)
        newest = _newest(session, wanted, action)
        usual = USUAL[KINDS[action]]
        changed = [image for image in wanted if (newest[image].action if image in newest else usual) is not action]
        if not changed:
            them = f"picture {wanted[0]} is" if len(wanted) == 1 else f"all {len(wanted):,} pictures are"
            raise BadRequest(f"{them} {HOLDS[action]} already; nothing was changed")
        return _record(session, dict.fromkeys(changed, action), by, reason)


def undo(engine: Engine, first: int, last: int, *, by: str) -> Decided:
    """Gives pictures back what held before the rows `first` to `last`; those decided again since are left as they are.

    Raises BadRequest when there is nothing left to undo.
    """
    with writing(engine) as session:
        events = session.exec(select(PoolEvent).where(col(PoolEvent.id).between(first, last)).limit(MOST_AT_ONCE)).all()
        back: dict[int, PoolAction] = {}
        if events:
            images, action = [event.image_id for event in events], events[0].action
            newest = _newest(session, images, action)
            earlier = _newest(session, images, action, before=first)
            for event in events:
                if newest[event.image_id].id == event.id:
                    was = earlier.get(event.image_id)
                    back[event.image_id] = was.action if was else USUAL[KINDS[action]]
        if not back:
            raise BadRequest("something else was decided of these pictures since; nothing was changed")
        return _record(session, back, by, f"undone: {events[0].reason}"[:MAX_REASON])


def decisions(engine: Engine, limit: int = 20) -> list[Decision]:
    """What was decided last, newest first."""
    same = (col(PoolEvent.action), col(PoolEvent.by), col(PoolEvent.reason), col(PoolEvent.created_at))
    ids = col(PoolEvent.id)
    with reading(engine) as session:
        recent = select(func.max(ids) - limit * MOST_AT_ONCE).scalar_subquery()
        rows = session.execute(
            rows_of(func.min(ids), func.max(ids), func.count(), *same)
            .where(ids > recent)
            .group_by(*same)
            .order_by(func.max(ids).desc())
            .limit(limit)
        )
        return [Decision(Decided(*row[:3]), *row[3:]) for row in rows]


def _require_pooled(session: Session, images: Sequence[int], action: PoolAction) -> None:
    votes = REJECTS + KEEPS
    found = session.execute(
        rows_of(col(Image.id), col(Image.origin), (votes > 0) | RULED.is_not(None))
        .join(ImageTally, col(ImageTally.image_id) == Image.id, isouter=True)
        .where(col(Image.id).in_(images))
    ).all()
    if unknown := sorted(set(images) - {row[0] for row in found}):
        raise UnknownImage(f"there is no picture {unknown[0]}")
    for image, origin, is_voted in found:
        if origin not in POOLED:
            why = "compares versions, so only raters judge it" if origin is Origin.evaluation else "is a control"
            raise BadRequest(f"picture {image} {why}; nothing was changed")
        if action in RULINGS and not is_voted:
            raise BadRequest(f"picture {image} has no votes yet, so there is no verdict to overrule")


def _newest(
    session: Session, images: Sequence[int], action: PoolAction, before: int | None = None
) -> dict[int, PoolEvent]:
    """The newest event of the action's kind on each of these images, of those before the row `before`."""
    ids = select(func.max(PoolEvent.id)).where(
        col(PoolEvent.image_id).in_(images), col(PoolEvent.action).in_(KINDS[action])
    )
    ids = ids if before is None else ids.where(col(PoolEvent.id) < before)
    newest = select(PoolEvent).where(col(PoolEvent.id).in_(ids.group_by(col(PoolEvent.image_id))))
    return {event.image_id: event for event in session.exec(newest)}


def _record(session: Session, decided: dict[int, PoolAction], by: str, reason: str) -> Decided:
    """Writes the events, those of one action one after another, and what follows from them."""
    before = session.exec(select(func.coalesce(func.max(PoolEvent.id), 0))).one()
    same = {"by": by, "reason": reason, "created_at": utc_now()}
    ordered = sorted(decided.items(), key=lambda one: (one[1].value, one[0]))
    session.execute(insert(PoolEvent), [same | {"image_id": image, "action": action} for image, action in ordered])
    _rule(session, {image: action for image, action in ordered if action in RULINGS})
    count_new_rejects(session)
    ids = col(PoolEvent.id)
    first, last = session.execute(rows_of(func.min(ids), func.max(ids)).where(ids > before)).one()
    return Decided(first, last, len(decided))


def _rule(session: Session, rulings: dict[int, PoolAction]) -> None:
    """Puts the verdicts, or takes them away, in every counter but that of the new rejects."""
    by_action: dict[PoolAction, list[int]] = defaultdict(list)
    for image, action in rulings.items():
        by_action[action].append(image)
    for action, images in by_action.items():
        ruled = None if action is PoolAction.follow else Verdict(action.value)
        moved: dict[tuple[int, Origin], Counter[str]] = defaultdict(Counter)
        rows = session.execute(
            rows_of(col(Image.version), col(Image.origin), REJECTS, KEEPS, RULED)
            .join(ImageTally, col(ImageTally.image_id) == Image.id)
            .where(col(Image.id).in_(images))
        )
        for version, origin, rejects, keeps, was in rows:
            moved[version, origin].update(image_counts(rejects, keeps, ruled))
            moved[version, origin].subtract(image_counts(rejects, keeps, was))
        session.execute(
            update(ImageTally)
            .where(col(ImageTally.image_id).in_(images))
            .values(ruled=ruled)
            .execution_options(synchronize_session=False)
        )
        write_changes(
            session,
            [
                Change(VersionTally, {"version": version, "origin": origin}, dict(counts))
                for (version, origin), counts in moved.items()
            ],
        )
