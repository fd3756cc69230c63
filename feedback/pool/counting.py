"""What one vote changes: one statement reads, plain functions decide, one more statement writes.

While a statement travels to a PostgreSQL server and back, all other raters wait for the write lock.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import Boolean, Date, Row, bindparam, literal, text, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlmodel import Session, SQLModel

from feedback.pool.counts import POOLED
from feedback.pool.verdicts import Outcome, outcome_of_counts
from store.engine import is_sqlite
from store.tables import CurrentVote, Image, ImageTally, NewRejects, Origin, Verdict, VersionTally, VoteCount

OUTCOMES = ("rejected", "kept", "disputed", "vote_pairs", "agreeing")
COUNTERS = {Verdict.reject: "rejects", Verdict.keep: "keeps"}
FIELD = {Outcome.reject: "rejected", Outcome.keep: "kept", Outcome.disputed: "disputed"}
COLUMNS = (*COUNTERS.values(),)
TABLES = SQLModel.metadata.tables
# One row: the image, the rater's lease and current vote on it, its votes, and any vote that used this request id.
BEFORE = text(
    "SELECT image.version, image.origin, image.overlap, image.is_queued, lease.id AS lease_id, "
    "rater.is_excluded, word.verdict, word.day, image_tally.rejects, image_tally.keeps, "
    "image_tally.ruled, "
    "known.rater_id AS known_rater, known.image_id AS known_image, known.verdict AS known_verdict, "
    "EXISTS (SELECT 1 FROM manifest_item WHERE image_id = :image_id "
    "  AND manifest_id = (SELECT manifest_id FROM version ORDER BY number DESC LIMIT 1)) "
    "OR EXISTS (SELECT 1 FROM new_rejects WHERE :image_id < floor) "
    "OR EXISTS (SELECT 1 FROM pool_event WHERE action = 'exclude' "
    "  AND id = (SELECT max(id) FROM pool_event WHERE image_id = :image_id AND action IN ('exclude', 'restore'))) "
    "AS is_trained "
    "FROM rater LEFT JOIN image ON image.id = :image_id "
    "LEFT JOIN lease ON lease.image_id = :image_id AND lease.rater_id = rater.id "
    "LEFT JOIN word ON word.image_id = :image_id AND word.rater_id = rater.id "
    "LEFT JOIN image_tally ON image_tally.image_id = :image_id "
    "LEFT JOIN vote AS known ON known.request_id = :request_id WHERE rater.id = :rater_id"
).columns(
    origin=TABLES["image"].c.origin.type,
    is_queued=Boolean,
    is_excluded=Boolean,
    verdict=TABLES["vote"].c.verdict.type,
    day=Date,
    ruled=TABLES["image_tally"].c.ruled.type,
    known_verdict=TABLES["vote"].c.verdict.type,
    is_trained=Boolean,
)


@dataclass(frozen=True)
class Change:
    """One row of a table: `add` is added to its counters, `put` replaces its columns. A missing row is inserted,
    unless `is_known`."""

    table: type[SQLModel]
    key: dict[str, Any]
    add: dict[str, int] = field(default_factory=dict)
    put: dict[str, Any] = field(default_factory=dict)
    is_known: bool = False

    @property
    def shape(self) -> "Shape":
        """All but the values: what its statement is compiled from."""
        return Shape(str(self.table.__tablename__), (*self.key,), (*self.add,), (*self.put,), self.is_known)


class Shape(NamedTuple):
    """The table, the columns and the kind of a change."""

    table: str
    key: tuple[str, ...]
    add: tuple[str, ...]
    put: tuple[str, ...]
    is_known: bool


class NewVote(NamedTuple):
    """A vote that was just recorded: the rater's current vote on the image from now on."""

    image_id: int
    rater_id: int
    verdict: Verdict
    vote_id: int
    day: date


Votes = tuple[int, int]
"""Current rejects and keeps of an image."""


def before_vote(session: Session, rater_id: int, image_id: int, request_id: str) -> Row[Any]:
    """The state before a vote is written; the image's columns are None when the image does not exist."""
    values = {"rater_id": rater_id, "image_id": image_id, "request_id": request_id}
    return session.connection().execute(BEFORE, values).one()


def changes_of(before: Row[Any], vote: NewVote, overlap: int) -> list[Change]:
    """What a new vote changes. The vote of an excluded rater changes no counter."""
    key = {"image_id": vote.image_id, "rater_id": vote.rater_id}
    put = {"verdict": vote.verdict, "vote_id": vote.vote_id, "day": vote.day}
    changes = [Change(CurrentVote, key, put=put)]
    votes = (before.rejects or 0, before.keeps or 0)
    if not before.is_excluded:
        counted = _count_by_day(before, vote)
        rejects, keeps = (sum(change.add.get(name, 0) for change in counted) for name in COLUMNS)
        was, votes = votes, (votes[0] + rejects, votes[1] + keeps)
        changes += counted + (_move_tallies(before, vote.image_id, was, votes) if votes != was else [])
    if vote.verdict is not Verdict.skip or before.verdict in COUNTERS:  # a mere skip brings nothing back into the queue
        changes += _settle_queue(before, vote.image_id, votes, overlap)
    return changes


def write_changes(session: Session, changes: Sequence[Change]) -> None:
    """Writes the changes: in one statement on PostgreSQL, one after another on SQLite, where that costs nothing."""
    is_file = is_sqlite(session.get_bind())  # type: ignore[arg-type]
    for group in [[change] for change in changes] if is_file else [changes]:
        values = {
            f"{name}_{place}": value
            for place, change in enumerate(group)
            for name, value in (change.key | change.add | change.put).items()
        }
        session.connection().execute(_compile_all(is_file, tuple(change.shape for change in group)), values)


def image_counts(rejects: int, keeps: int, ruled: Verdict | None = None) -> dict[str, int]:
    """What one image adds to the counters of its version. Agreement is between raters: a curator's verdict is none."""
    n, outcome = rejects + keeps, outcome_of_counts(rejects, keeps, ruled)
    counts = {name: int(outcome is kind) for kind, name in FIELD.items()}
    return counts | {
        "vote_pairs": n * (n - 1) // 2,
        "agreeing": (rejects * (rejects - 1) + keeps * (keeps - 1)) // 2,
    }


def _count_by_day(before: Row[Any], vote: NewVote) -> list[Change]:
    """The rater's former vote leaves the count of its day, the new one enters today's."""
    days: dict[date, dict[str, int]] = {}
    for verdict, day, by in ((before.verdict, before.day, -1), (vote.verdict, vote.day, 1)):
        if verdict in COUNTERS:
            counts = days.setdefault(day, {})
            counts[COUNTERS[verdict]] = counts.get(COUNTERS[verdict], 0) + by
    owner = {"version": before.version, "origin": before.origin, "rater_id": vote.rater_id}
    return [Change(VoteCount, owner | {"day": day}, counts) for day, counts in days.items() if any(counts.values())]


def _move_tallies(before: Row[Any], image_id: int, was: Votes, now: Votes) -> list[Change]:
    """An image's votes changed; so may its verdict and the count to the next retrain."""
    old, new = image_counts(*was, before.ruled), image_counts(*now, before.ruled)
    changes = [Change(ImageTally, {"image_id": image_id}, {"rejects": now[0] - was[0], "keeps": now[1] - was[1]})]
    if moved := {name: new[name] - old[name] for name in OUTCOMES if new[name] != old[name]}:
        changes.append(Change(VersionTally, {"version": before.version, "origin": before.origin}, moved))
    rejected = new["rejected"] - old["rejected"]
    if rejected and before.origin in POOLED and not before.is_trained:
        changes.append(Change(NewRejects, {"id": 1}, {"count": rejected}))
    return changes


def _settle_queue(before: Row[Any], image_id: int, votes: Votes, overlap: int) -> list[Change]:
    """The image enters or leaves the queue, depending on its votes."""
    rejects, keeps = votes
    is_queued = before.origin is not Origin.control and rejects + keeps < (before.overlap or overlap)
    if is_queued == before.is_queued:
        return []
    return [Change(Image, {"id": image_id}, put={"is_queued": is_queued}, is_known=True)]


@cache
def _compile_all(is_file: bool, shapes: tuple[Shape, ...]) -> Any:
    """The statement for changes of these shapes. Cached: compiling it would be most of the cost of a vote."""
    first, *others = (_compile(is_file, place, shape) for place, shape in enumerate(shapes))
    return first.add_cte(*(other.cte(f"also_{place}") for place, other in enumerate(others)))


def _compile(is_file: bool, place: int, shape: Shape) -> Any:
    table, (_, key, add, put, is_known) = TABLES[shape.table], shape
    new = {column: bindparam(f"{column}_{place}", type_=table.c[column].type) for column in (*key, *add, *put)}
    changed = {column: table.c[column] + new[column] for column in add} | {column: new[column] for column in put}
    if is_known:
        return update(table).where(*(table.c[column] == new[column] for column in key)).values(changed)
    zeros = {c: literal(0) for c, column in table.c.items() if c not in new and not column.nullable}
    insert_or = sqlite_insert if is_file else postgresql_insert
    return insert_or(table).values(zeros | new).on_conflict_do_update(index_elements=list(key), set_=changed)
