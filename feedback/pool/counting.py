"""What one vote changes: read in one statement, decided in plain functions, written in one statement more.

Every statement is a journey to a PostgreSQL server during which all other raters wait for the write lock.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from typing import Any

from sqlalchemy import Boolean, Date, Row, bindparam, literal, text, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlmodel import Session, SQLModel

from feedback.pool.verdicts import Outcome, outcome_of_counts
from store.engine import is_sqlite
from store.tables import CurrentVote, Image, ImageTally, NewRejects, Origin, Verdict, VersionTally, VoteCount

OUTCOMES = ("rejected", "kept", "disputed", "vote_pairs", "agreeing")
COUNTERS = {Verdict.reject: "rejects", Verdict.keep: "keeps"}
FIELD = {Outcome.reject: "rejected", Outcome.keep: "kept", Outcome.disputed: "disputed"}
COLUMNS = (*COUNTERS.values(),)
TABLES = SQLModel.metadata.tables
# One row: the image, the rater's lease and word on it, its votes, and the vote that used this request id, if any.
BEFORE = text(
    "SELECT image.version, image.origin, image.overlap, image.is_queued, image.is_disputed, lease.id AS lease_id, "
    "rater.is_excluded, word.verdict, word.day, image_tally.rejects, image_tally.keeps, "
    "known.rater_id AS known_rater, known.image_id AS known_image, known.verdict AS known_verdict, "
    "EXISTS (SELECT 1 FROM manifest_item WHERE image_id = :image_id "
    "  AND manifest_id = (SELECT manifest_id FROM version ORDER BY number DESC LIMIT 1)) "
    "OR EXISTS (SELECT 1 FROM new_rejects WHERE :image_id < floor) "
    "OR EXISTS (SELECT 1 FROM pool_event WHERE action = 'exclude' "
    "  AND id = (SELECT max(id) FROM pool_event WHERE image_id = :image_id)) AS is_trained "
    "FROM rater LEFT JOIN image ON image.id = :image_id "
    "LEFT JOIN lease ON lease.image_id = :image_id AND lease.rater_id = rater.id "
    "LEFT JOIN word ON word.image_id = :image_id AND word.rater_id = rater.id "
    "LEFT JOIN image_tally ON image_tally.image_id = :image_id "
    "LEFT JOIN vote AS known ON known.request_id = :request_id WHERE rater.id = :rater_id"
).columns(
    origin=TABLES["image"].c.origin.type,
    is_queued=Boolean,
    is_disputed=Boolean,
    is_excluded=Boolean,
    verdict=TABLES["vote"].c.verdict.type,
    day=Date,
    known_verdict=TABLES["vote"].c.verdict.type,
    is_trained=Boolean,
)


@dataclass(frozen=True)
class Change:
    """One row of a table: what is added to its counters and what is put into its columns. Made when it is missing,
    unless `is_known`."""

    table: type[SQLModel]
    key: dict[str, Any]
    add: dict[str, int] = field(default_factory=dict)
    put: dict[str, Any] = field(default_factory=dict)
    is_known: bool = False

    @property
    def shape(self) -> "Shape":
        """All but the values: what its statement is made from."""
        return (str(self.table.__tablename__), (*self.key,), (*self.add,), (*self.put,), self.is_known)


Votes = tuple[int, int]
"""Current rejects and keeps of an image."""
Shape = tuple[str, tuple[str, ...], tuple[str, ...], tuple[str, ...], bool]


def before_vote(session: Session, rater_id: int, image_id: int, request_id: str) -> Row[Any]:
    """What there is before a vote is written; the image's columns are None where there is no such image."""
    values = {"rater_id": rater_id, "image_id": image_id, "request_id": request_id}
    return session.connection().execute(BEFORE, values).one()


def changes_of(before: Row[Any], word: dict[str, Any], overlap: int) -> list[Change]:
    """What the rater's new word on an image changes, `word` being its row. An excluded rater's is only kept."""
    key = {name: word[name] for name in ("image_id", "rater_id")}
    changes = [Change(CurrentVote, key, put={name: value for name, value in word.items() if name not in key})]
    votes = (before.rejects or 0, before.keeps or 0)
    if not before.is_excluded:
        counted = _counted(before, word)
        rejects, keeps = (sum(change.add.get(name, 0) for change in counted) for name in COLUMNS)
        was, votes = votes, (votes[0] + rejects, votes[1] + keeps)
        changes += counted + (_moved(before, word["image_id"], was, votes) if votes != was else [])
    if word["verdict"] is not Verdict.skip:
        changes += _settled(before, word["image_id"], votes, overlap)
    return changes


def write_changes(session: Session, changes: Sequence[Change]) -> None:
    """Writes them: on PostgreSQL in one statement, on SQLite, where no journey is saved, one after another."""
    is_file = is_sqlite(session.get_bind())  # type: ignore[arg-type]
    for group in [[change] for change in changes] if is_file else [changes]:
        values = {
            f"{name}_{place}": value
            for place, change in enumerate(group)
            for name, value in (change.key | change.add | change.put).items()
        }
        session.connection().execute(_writing(is_file, tuple(change.shape for change in group)), values)


def image_counts(rejects: int, keeps: int) -> dict[str, int]:
    """What one image adds to the counters of its version."""
    n, outcome = rejects + keeps, outcome_of_counts(rejects, keeps)
    counts = {name: int(outcome is kind) for kind, name in FIELD.items()}
    return counts | {
        "vote_pairs": n * (n - 1) // 2,
        "agreeing": (rejects * (rejects - 1) + keeps * (keeps - 1)) // 2,
    }


def _counted(before: Row[Any], word: dict[str, Any]) -> list[Change]:
    """The rater's former word leaves its day's count, the new one enters today's."""
    days: dict[date, dict[str, int]] = {}
    for verdict, day, by in ((before.verdict, before.day, -1), (word["verdict"], word["day"], 1)):
        if verdict in COUNTERS:
            counts = days.setdefault(day, {})
            counts[COUNTERS[verdict]] = counts.get(COUNTERS[verdict], 0) + by
    owner = {"version": before.version, "origin": before.origin, "rater_id": word["rater_id"]}
    return [Change(VoteCount, owner | {"day": day}, counts) for day, counts in days.items() if any(counts.values())]


def _moved(before: Row[Any], image_id: int, was: Votes, now: Votes) -> list[Change]:
    """An image's votes changed, and with them perhaps its verdict and the count to the next retrain."""
    old, new = image_counts(*was), image_counts(*now)
    changes = [Change(ImageTally, {"image_id": image_id}, {"rejects": now[0] - was[0], "keeps": now[1] - was[1]})]
    if moved := {name: new[name] - old[name] for name in OUTCOMES if new[name] != old[name]}:
        changes.append(Change(VersionTally, {"version": before.version, "origin": before.origin}, moved))
    rejected = new["rejected"] - old["rejected"]
    if rejected and before.origin is Origin.sampled and not before.is_trained:
        changes.append(Change(NewRejects, {"id": 1}, {"count": rejected}))
    return changes


def _settled(before: Row[Any], image_id: int, votes: Votes, overlap: int) -> list[Change]:
    """The image enters the queue or leaves it, by its votes."""
    rejects, keeps = votes
    now = {
        "is_queued": before.origin is not Origin.control and rejects + keeps < (before.overlap or overlap),
        "is_disputed": rejects == keeps > 0,
    }
    if now == {name: getattr(before, name) for name in now}:
        return []
    return [Change(Image, {"id": image_id}, put=now, is_known=True)]


@cache
def _writing(is_file: bool, shapes: tuple[Shape, ...]) -> Any:
    """The statement for changes of these shapes. Made once: making it would be most of the cost of a vote."""
    first, *others = (_one(is_file, place, *shape) for place, shape in enumerate(shapes))
    return first.add_cte(*(other.cte(f"also_{place}") for place, other in enumerate(others)))


def _one(
    is_file: bool, place: int, name: str, key: Sequence[str], add: Sequence[str], put: Sequence[str], is_known: bool
) -> Any:
    table = TABLES[name]
    new = {column: bindparam(f"{column}_{place}", type_=table.c[column].type) for column in (*key, *add, *put)}
    changed = {column: table.c[column] + new[column] for column in add} | {column: new[column] for column in put}
    if is_known:
        return update(table).where(*(table.c[column] == new[column] for column in key)).values(changed)
    zeros = {c: literal(0) for c, column in table.c.items() if c not in new and not column.nullable}
    insert_or = sqlite_insert if is_file else postgresql_insert
    return insert_or(table).values(zeros | new).on_conflict_do_update(index_elements=list(key), set_=changed)
