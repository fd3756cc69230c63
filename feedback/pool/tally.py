"""Counters kept beside the votes, in the vote's own transaction, so that no page counts millions of rows.

They follow from the votes and the curators' verdicts only: `rebuild` counts them again, `differences` says where they
are wrong.
"""

from typing import Any

from sqlalchemy import ColumnElement, Engine, Select, String, case, cast, delete, func, insert, literal, text, update
from sqlalchemy import select as rows_of
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from feedback.pool.counting import OUTCOMES
from feedback.pool.counts import POOLED
from feedback.pool.verdicts import (
    KEEPS,
    REJECTS,
    RULED,
    is_counted,
    is_disputed,
    is_kept,
    is_rejected,
    select_rulings,
    select_taken_out,
)
from feedback.succession import newest_trained
from store.engine import is_sqlite, reading
from store.phrases import plural
from store.tables import (
    CurrentVote,
    Image,
    ImageTally,
    ManifestItem,
    NewRejects,
    Verdict,
    Version,
    VersionTally,
    Vote,
    VoteCount,
)

COUNTED = (CurrentVote, ImageTally, VersionTally, VoteCount, NewRejects)
MANIFEST_MOST = 100_000  # images in a manifest


def count_new_rejects(session: Session) -> None:
    """Counts the new rejects from the start; for the transaction that publishes a version."""
    session.exec(delete(NewRejects))
    floor = _floor(session)
    session.add(NewRejects(version=_newest(session), floor=floor, count=_new_rejects(session, floor)))
    session.flush()


def new_rejects(session: Session) -> int:
    """Rejects in the pool that the newest version was not trained on; none that a person took out of it."""
    row = session.get(NewRejects, 1)
    return row.count if row is not None else 0


def count_new_among(session: Session, images: Select) -> int:
    """How many of these images are new rejects."""
    return session.exec(_select_new(_floor(session)).where(col(Image.id).in_(images))).one()


def rebuild(session: Session) -> None:
    """Rebuilds every counter from the votes and the curators' verdicts; for use inside a `writing` block."""
    for table in COUNTED:
        session.exec(delete(table))
    session.exec(
        insert(CurrentVote).from_select(["image_id", "rater_id", "verdict", "vote_id", "day"], _newest_votes(session))
    )
    session.exec(
        insert(ImageTally).from_select(
            ["image_id", "rejects", "keeps"],
            rows_of(
                col(CurrentVote.image_id),
                _sum(CurrentVote.verdict == Verdict.reject),
                _sum(CurrentVote.verdict == Verdict.keep),
            )
            .where(is_counted(CurrentVote.rater_id))
            .group_by(col(CurrentVote.image_id)),
        )
    )
    _put_rulings(session)
    session.exec(
        insert(VersionTally).from_select(
            ["version", "origin", *OUTCOMES],
            _outcomes(),
        )
    )
    session.exec(
        insert(VoteCount).from_select(
            ["version", "origin", "rater_id", "day", "rejects", "keeps"],
            rows_of(
                col(Image.version),
                col(Image.origin),
                col(CurrentVote.rater_id),
                col(CurrentVote.day),
                _sum(CurrentVote.verdict == Verdict.reject),
                _sum(CurrentVote.verdict == Verdict.keep),
            )
            .join(CurrentVote, col(CurrentVote.image_id) == Image.id)
            .where(is_counted(CurrentVote.rater_id))
            .group_by(col(Image.version), col(Image.origin), col(CurrentVote.rater_id), col(CurrentVote.day)),
        )
    )
    session.expire_all()
    count_new_rejects(session)


def _put_rulings(session: Session) -> None:
    """The curators' verdicts, also on images without a vote that counts."""
    ruled = select_rulings().subquery()
    missing = rows_of(ruled.c.image_id, literal(0), literal(0)).where(
        ruled.c.image_id.not_in(select(ImageTally.image_id))
    )
    session.exec(insert(ImageTally).from_select(["image_id", "rejects", "keeps"], missing))
    verdict = rows_of(ruled.c[1]).where(ruled.c.image_id == ImageTally.image_id).scalar_subquery()
    session.exec(
        update(ImageTally)
        .where(col(ImageTally.image_id).in_(rows_of(ruled.c.image_id)))
        .values(ruled=verdict)
        .execution_options(synchronize_session=False)
    )


def differences(engine: Engine) -> list[str]:
    """Where the counters differ from the votes they follow from, in sentences; empty when they agree."""
    with reading(engine) as session:
        votes = select(Vote.image_id, Vote.rater_id, Vote.verdict, Vote.id).where(
            col(Vote.id).in_(select(func.max(col(Vote.id))).group_by(col(Vote.image_id), col(Vote.rater_id)))
        )
        current = select(CurrentVote.image_id, CurrentVote.rater_id, CurrentVote.verdict, CurrentVote.vote_id)
        checks = {
            "current votes": (votes, current),
            "votes by image": (
                rows_of(
                    col(CurrentVote.image_id),
                    _sum(CurrentVote.verdict == Verdict.reject),
                    _sum(CurrentVote.verdict == Verdict.keep),
                )
                .where(col(CurrentVote.verdict).in_([Verdict.reject, Verdict.keep]), is_counted(CurrentVote.rater_id))
                .group_by(col(CurrentVote.image_id)),
                rows_of(col(ImageTally.image_id), REJECTS, KEEPS).where(REJECTS + KEEPS > 0),
            ),
            "curators' verdicts": (
                select_rulings(),
                rows_of(col(ImageTally.image_id), cast(RULED, String)).where(RULED.is_not(None)),
            ),
        }
        found = []
        for name, (wanted, kept) in checks.items():
            missing = session.exec(select(func.count()).select_from(wanted.except_(kept).subquery())).one()
            extra = session.exec(select(func.count()).select_from(kept.except_(wanted).subquery())).one()
            if missing or extra:
                found.append(f"the counter of {name} differs from the votes in {plural(missing + extra, 'row')}")
        if (row := new_rejects(session)) != (counted := _new_rejects(session, _floor(session))):
            found.append(f"the counter of new rejects says {row}, the votes say {counted}")
        return found + _version_differences(session)


def _version_differences(session: Session) -> list[str]:
    rows = session.execute(_outcomes())
    wanted = {(version, origin): tuple(counts) for version, origin, *counts in rows if any(counts)}
    kept = {
        (row.version, row.origin): counts
        for row in session.exec(select(VersionTally))
        if any(counts := tuple(getattr(row, name) for name in OUTCOMES))
    }
    return [
        f"the counter of v{version} ({origin.value}) says {kept.get((version, origin))}, "
        f"the votes say {wanted.get((version, origin))}"
        for version, origin in sorted(wanted.keys() | kept.keys())
        if wanted.get((version, origin)) != kept.get((version, origin))
    ]


def _newest(session: Session) -> int | None:
    return session.exec(select(newest_trained())).one()


def _floor(session: Session) -> int:
    """The oldest image of a full manifest: those before it are too old to be trained on, so they are not new."""
    newest = select(Version.manifest_id).where(Version.number == newest_trained()).scalar_subquery()
    items, oldest = session.exec(
        select(func.count(), func.min(ManifestItem.image_id)).where(ManifestItem.manifest_id == newest)
    ).one()
    return oldest if items >= MANIFEST_MOST else 0


def _new_rejects(session: Session, floor: int) -> int:
    return session.exec(_select_new(floor)).one()


def _select_new(floor: int) -> SelectOfScalar[int]:
    trained = (
        select(ManifestItem.image_id)
        .join(Version, col(Version.manifest_id) == ManifestItem.manifest_id)
        .where(Version.number == newest_trained())
    )
    return (
        select(func.count(col(ImageTally.image_id)))
        .join(Image, col(Image.id) == ImageTally.image_id)
        .where(
            col(Image.origin).in_(POOLED),
            is_rejected(),
            col(Image.id) >= floor,
            col(Image.id).not_in(trained),
            col(Image.id).not_in(select_taken_out()),
        )
    )


def _newest_votes(session: Session) -> Select:
    """Rows: every rater's newest vote on every image."""
    is_file = is_sqlite(session.get_bind())  # type: ignore[arg-type]
    day: Any = text("date(received_at)") if is_file else text("(received_at AT TIME ZONE 'UTC')::date")
    newest = rows_of(func.max(col(Vote.id))).group_by(col(Vote.image_id), col(Vote.rater_id))
    return rows_of(col(Vote.image_id), col(Vote.rater_id), col(Vote.verdict), col(Vote.id), day).where(
        col(Vote.id).in_(newest)
    )


def _outcomes() -> Select:
    """Rows: the counters of `VersionTally`, OUTCOMES, for each version and origin."""
    return (
        rows_of(
            col(Image.version),
            col(Image.origin),
            _sum(is_rejected()),
            _sum(is_kept()),
            _sum(is_disputed()),
            func.sum((REJECTS + KEEPS) * (REJECTS + KEEPS - 1) // 2),
            func.sum((REJECTS * (REJECTS - 1) + KEEPS * (KEEPS - 1)) // 2),
        )
        .join(ImageTally, col(ImageTally.image_id) == Image.id)
        .group_by(col(Image.version), col(Image.origin))
    )


def _sum(condition: Any) -> ColumnElement[int]:
    return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)
