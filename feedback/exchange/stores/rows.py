"""Rows as they pass from one database to another: read in batches, times in UTC, and a checksum of a table."""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, DateTime, Select, Table, func, select, text
from sqlalchemy.exc import DataError, IntegrityError
from sqlmodel import SQLModel

from store.errors import StoreError

Row = dict[str, Any]
BATCH = 1000
"""Rows in memory at once."""


def all_tables() -> list[Table]:
    """The tables of a store, each after those it refers to."""
    return SQLModel.metadata.sorted_tables


def in_utc(connection: Connection) -> Connection:
    """The connection, for which a PostgreSQL server reads and writes times in UTC until its transaction ends.

    In a zone with summer time, an hour of every year would be ambiguous.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL TIME ZONE 'UTC'"))
    return connection


def read_batches(connection: Connection, query: Select, size: int = BATCH) -> Iterator[list[Row]]:
    """The rows of a query in lists of `size`; the server's are not all fetched at once. Times are in UTC."""
    times = [column.name for column in query.selected_columns if isinstance(column.type, DateTime)]
    found = connection.execute(query.execution_options(stream_results=True, yield_per=size))
    for part in found.mappings().partitions(size):
        rows = [dict(row) for row in part]
        for row in rows:
            row |= {name: to_utc(row[name]) for name in times}
        yield rows


def to_utc(time: datetime | None) -> datetime | None:
    """The time with its zone, UTC; SQLite gives it without one."""
    if time is None:
        return None
    return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)


def count_rows(connection: Connection, table: Table) -> int:
    """How many rows a table has."""
    return connection.execute(select(func.count()).select_from(table)).scalar_one()


def checksum(rows: Iterable[Row]) -> int:
    """A sum of the rows' SHA-256: the same for the same rows in any order, from either kind of database."""
    said = (json.dumps(list(row.values()), default=date.isoformat) for row in rows)
    return sum(int.from_bytes(sha256(text.encode()).digest()) for text in said)


def set_sequences(connection: Connection, tables: Sequence[Table]) -> None:
    """Lets PostgreSQL number the next row of each table after the highest; SQLite always does."""
    if connection.dialect.name != "postgresql":
        return
    find = text("SELECT pg_get_serial_sequence(format('%I', CAST(:name AS text)), :key)")
    for table in tables:
        [key, *more] = table.primary_key
        sequence = connection.execute(find, {"name": table.name, "key": key.name}).scalar_one()
        if sequence is not None and not more:
            highest = connection.execute(select(func.max(key))).scalar_one() or 0
            connection.execute(select(func.setval(sequence, max(1, highest), highest > 0)))


@contextmanager
def refusals_told(table: Table) -> Iterator[None]:
    """Inside it, a value that the other kind of database does not take is a StoreError that names the table."""
    try:
        yield
    except (DataError, IntegrityError) as error:
        said = " ".join(str(error.orig).split())[:200]
        raise StoreError(
            f"a row of the table {table.name} cannot be written to the other database ({said}), so nothing was "
            "changed; `naysayer doctor` may know more"
        ) from error
