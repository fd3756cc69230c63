"""Where each row of the other store went: a temporary table, so that memory does not grow with the stores."""

from collections.abc import Collection, Iterable
from typing import NamedTuple

from sqlalchemy import BigInteger, Boolean, Column, Connection, MetaData, String, Table, insert, select

PLACE = Table(
    "merged_place",
    MetaData(),
    Column("kind", String, primary_key=True),
    Column("old", BigInteger, primary_key=True, autoincrement=False),
    Column("new", BigInteger, nullable=False),
    Column("is_new", Boolean, nullable=False),
    prefixes=["TEMPORARY"],
)


class Place(NamedTuple):
    """The number of a row there and here; `is_new`: this merge brought it."""

    old: int
    new: int
    is_new: bool


class Places:
    """The places of the rows of every table, until `close`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        PLACE.create(connection)

    def put(self, kind: str, places: Collection[Place]) -> None:
        """Remembers places of rows of the table `kind`."""
        if places:
            self._connection.execute(insert(PLACE), [{"kind": kind, **place._asdict()} for place in places])

    def find(self, kind: str, old: Iterable[int | None]) -> dict[int, Place]:
        """The places of those rows of the table `kind` that have one, by their numbers there."""
        query = select(PLACE.c.old, PLACE.c.new, PLACE.c.is_new).where(
            PLACE.c.kind == kind, PLACE.c.old.in_({number for number in old if number is not None})
        )
        return {row.old: Place(*row) for row in self._connection.execute(query)}

    def brought(self, kind: str) -> dict[int, int]:
        """The numbers there and here of the rows of the small table `kind` that this merge brought."""
        query = select(PLACE.c.old, PLACE.c.new).where(PLACE.c.kind == kind, PLACE.c.is_new).order_by(PLACE.c.old)
        return {row.old: row.new for row in self._connection.execute(query)}

    def close(self) -> None:
        """Forgets every place."""
        PLACE.drop(self._connection)
