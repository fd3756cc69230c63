"""Decisions about a rater: pause, exclude, give a role. Each is one change and one event row, in one transaction."""

from typing import NamedTuple

from sqlalchemy import Engine
from sqlmodel import Session, col, select

from feedback.pool.tally import rebuild
from feedback.rate.queue import settle_all
from feedback.rate.raters import find_rater, rater_of
from store.engine import reading, writing
from store.errors import BadRequest
from store.tables import Alias, AliasName, CurrentVote, Image, Origin, PersonRole, Rater, RaterAction, RaterEvent

MAX_REASON = 200


class Decision(NamedTuple):
    """What is decided about a rater, by whom and why."""

    action: RaterAction
    by: str
    reason: str


def decide(engine: Engine, rater: str, decision: Decision, overlap: int = 1) -> None:
    """Pauses, resumes, excludes or includes a rater; the opposite action takes each of them back.

    The votes of an excluded rater count nowhere; the champion's pictures that now lack a vote are queued again.
    Raises BadRequest for an unknown rater, without a reason, or when the rater is in that state already.
    """
    column, value = {
        RaterAction.pause: ("is_paused", True),
        RaterAction.resume: ("is_paused", False),
        RaterAction.exclude: ("is_excluded", True),
        RaterAction.include: ("is_excluded", False),
    }[decision.action]
    with writing(engine) as session:
        row = _require_rater(session, rater)
        if getattr(row, column) == value:
            raise BadRequest(f"{row.name} is {_describe_state(row)} already; nothing was changed")
        setattr(row, column, value)
        record_decision(session, row, decision)
        if column == "is_excluded":
            session.flush()
            rebuild(session)
            _settle_images(session, row, overlap)


def give_role(engine: Engine, rater: str, role: PersonRole, *, by: str, reason: str = "") -> None:
    """Makes a person a rater, a curator or an admin; adds the person when new."""
    with writing(engine) as session:
        row = rater_of(session, rater)
        row.role = role
        record_decision(session, row, Decision(RaterAction.role, by, reason or f"is {role.value} now"))


def role_of(engine: Engine, rater: str) -> PersonRole:
    """The role of that name; `rater` for an unknown name."""
    with reading(engine) as session:
        row = find_rater(session, rater)
        return row.role if row is not None else PersonRole.rater


def rater_events(engine: Engine, limit: int = 50) -> list[tuple[str, RaterEvent]]:
    """What was decided about raters, newest first, each with the rater's name."""
    with reading(engine) as session:
        return list(
            session.exec(
                select(Rater.name, RaterEvent)
                .join(RaterEvent, col(RaterEvent.rater_id) == Rater.id)
                .order_by(col(RaterEvent.id).desc())
                .limit(limit)
            )
        )


def _require_rater(session: Session, name: str) -> Rater:
    row = find_rater(session, name)
    if row is None:
        raise BadRequest(f"there is no rater {name[:80]!r}; the page Raters lists the names")
    return row


def _describe_state(row: Rater) -> str:
    return ", ".join([*(["excluded"] if row.is_excluded else ["included"]), *(["paused"] if row.is_paused else [])])


def record_decision(session: Session, row: Rater, decision: Decision) -> None:
    """Adds the changed row and why it changed; for use inside a `writing` block. Raises BadRequest without a reason."""
    reason = decision.reason.strip()
    if not 0 < len(reason) <= MAX_REASON:
        raise BadRequest(f"say why, in 1 to {MAX_REASON} characters; nothing was changed")
    session.add(row)
    assert row.id is not None
    session.add(RaterEvent(rater_id=row.id, action=decision.action, by=decision.by, reason=reason))


def _settle_images(session: Session, row: Rater, overlap: int) -> None:
    """Queues the champion's images by the votes that count now; images of older versions are not rated any more."""
    live = session.get(Alias, AliasName.champion)
    judged = select(CurrentVote.image_id).where(CurrentVote.rater_id == row.id)
    settle_all(
        session,
        col(Image.id).in_(judged),
        col(Image.origin) != Origin.control,
        (col(Image.version) == (live.version if live is not None else 0)) | (Image.origin == Origin.evaluation),
        overlap=overlap,
    )
