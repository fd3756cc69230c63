"""Brings the rows of another store's tables into this one, each table by its rule."""

from collections import Counter
from collections.abc import Callable
from typing import Any

from sqlalchemy import Integer, Table, func, insert, select
from sqlmodel import Session, SQLModel

from feedback.exchange.stores.places import Place, Places
from feedback.exchange.stores.rows import BATCH, Row, count_rows, read_batches, refusals_told
from feedback.exchange.stores.rules import MERGED, Rule
from feedback.succession import PLAIN
from store.layout import Layout

Change = Callable[["Merge", list[Row]], list[Row]]
"""What becomes of rows whose references are those here already; some may be left out."""


class Merge:
    """One merge: both stores' transactions, where the rows went, and what was brought."""

    def __init__(self, theirs: Session, ours: Session, layout: Layout, on_rows: Callable[[int], object]) -> None:
        self.theirs, self.ours = theirs.connection(), ours.connection()
        self.their_session, self.our_session, self.layout, self.on_rows = theirs, ours, layout, on_rows
        self.places = Places(self.ours)
        self.places.put("version", [Place(PLAIN, PLAIN, is_new=False)])
        self.manifests: dict[str, str] = {}
        self.brought: Counter[str] = Counter()
        self.left: Counter[str] = Counter()
        vote = table_of("vote")
        self.newest_vote = self.ours.execute(select(func.coalesce(func.max(vote.c.id), 0))).scalar_one()


def table_of(name: str) -> Table:
    """The table with that name."""
    return SQLModel.metadata.tables[name]


def count_merged(session: Session) -> int:
    """How many rows the tables hold that are merged."""
    return sum(count_rows(session.connection(), table_of(name)) for name in MERGED)


def references(table: Table, rule: Rule) -> dict[str, str]:
    """The columns that hold the number of another row, and the tables of those, but for what is set later."""
    keys = {key.parent.name: key.column.table.name for key in table.foreign_keys}
    return {name: other for name, other in {**keys, **rule.refers}.items() if name not in rule.later}


def own_number(table: Table) -> str | None:
    """The column with a row's own number, where it is not that of another row."""
    [key, *more] = table.primary_key
    return key.name if not more and not key.foreign_keys and isinstance(key.type, Integer) else None


def bring_table(merge: Merge, name: str, change: Change) -> None:
    """Brings those rows of a table that this store does not hold yet."""
    table, rule = table_of(name), MERGED[name]
    order = [key.desc() if rule.is_history else key for key in table.primary_key]
    is_tree = name in references(table, rule).values()  # a row may refer to the one before
    numbers = _free_numbers(merge, table, rule)
    for rows in read_batches(merge.theirs, select(table).order_by(*order), 1 if is_tree else BATCH):
        _bring(merge, table, rule, change(merge, _translated(merge, table, rule, rows)), numbers)
        merge.on_rows(len(rows))


def _translated(merge: Merge, table: Table, rule: Rule, rows: list[Row]) -> list[Row]:
    """The rows with the numbers that the rows have here to which they refer; without those that refer to none here."""
    places = {
        (column, old): place.new
        for column, kind in references(table, rule).items()
        for old, place in merge.places.find(kind, (row[column] for row in rows)).items()
    }
    columns = list(references(table, rule))
    found = []
    for row in rows:
        if all(row[column] is None or (column, row[column]) in places for column in columns):
            found.append(row | {column: places.get((column, row[column])) for column in columns})
        else:
            merge.left[table.name] += 1
    return [row | dict.fromkeys(rule.later) for row in found]


def _bring(merge: Merge, table: Table, rule: Rule, rows: list[Row], numbers: "_Numbers | None") -> None:
    known = _known(merge, table, rule, rows)
    places, new = [], []
    for row in rows:
        old = row[numbers.column] if numbers else 0
        here = next((known[key] for key in _keys(rule, row) if key in known), None)
        is_new = here is None
        if here is None:
            here = numbers.take() if numbers else 0
            new.append(row | ({numbers.column: here} if numbers else {}))
            known |= dict.fromkeys(_keys(rule, row), here)
        if numbers:
            places.append(Place(old, here, is_new))
    if new:
        with refusals_told(table):
            merge.ours.execute(insert(table), new)
    merge.brought[table.name] += len(new)
    merge.places.put(table.name, places)


def _known(merge: Merge, table: Table, rule: Rule, rows: list[Row]) -> dict[Any, int]:
    """The rows here that have a key of one of these, by that key: their numbers, 0 for rows without one."""
    own, known = own_number(table), dict[Any, int]()
    for columns in rule.keys:
        first = table.c[columns[0]]
        chosen = [table.c[column] for column in dict.fromkeys([*columns, *([own] if own else [])])]
        query = select(*chosen).where(first.in_({row[first.name] for row in rows}))
        for part in read_batches(merge.ours, query):
            known |= {(columns, *(row[column] for column in columns)): row[own] if own else 0 for row in part}
    return known


def _keys(rule: Rule, row: Row) -> list[Any]:
    return [(columns, *(row[column] for column in columns)) for columns in rule.keys]


class _Numbers:
    """Numbers that no row of a table has: upwards, or downwards below this store's first."""

    def __init__(self, column: str, last: int, step: int) -> None:
        self.column, self._last, self._step = column, last, step

    def take(self) -> int:
        self._last += self._step
        return self._last


def _free_numbers(merge: Merge, table: Table, rule: Rule) -> _Numbers | None:
    own = own_number(table)
    if own is None:
        return None
    lowest, highest = merge.ours.execute(select(func.min(table.c[own]), func.max(table.c[own]))).one()
    if rule.is_history and highest is not None:
        return _Numbers(own, min(lowest, 1), -1)
    return _Numbers(own, highest or 0, 1)
