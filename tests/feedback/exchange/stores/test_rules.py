"""A new table or column stops the tests until somebody decides what a merge makes of it."""

from sqlalchemy import JSON, Integer
from sqlmodel import SQLModel

from feedback.exchange.stores.bring import own_number, references
from feedback.exchange.stores.rules import COUNTED_AGAIN, FROZEN_AGAIN, LEFT_THERE, MERGED

PLAIN_NUMBERS = {
    "evaluation_pair": {"ordinal", "seed"},
    "image": {"number", "seed", "num_inference_steps", "width", "height", "overlap", "shuffle"},
    "imported_picture": {"marks"},
    "picture_try": {"number"},
    "prompt": {"read_characters", "weight"},
    "repeat": {"number"},
    "run": {"step", "steps"},
    "run_progress": {"stages", "curve", "strengths"},
    "version": {"settings", "libraries", "curve", "strength_curve", "check"},
}
"""Columns of numbers or JSON in which no row of another table is named."""


def test_every_table_has_exactly_one_rule():
    ruled = [*MERGED, *FROZEN_AGAIN, *COUNTED_AGAIN, *LEFT_THERE]
    assert sorted(ruled) == sorted(SQLModel.metadata.tables)
    assert all(LEFT_THERE.values())


def test_every_reference_is_to_a_table_that_came_before_or_is_set_later():
    done: set[str] = set()
    for name, rule in MERGED.items():
        table = SQLModel.metadata.tables[name]
        assert set(references(table, rule).values()) <= done | {name}, name
        done.add(name)
        assert all(column in table.c for columns in rule.keys for column in columns)
        assert set(rule.later.values()) <= {*MERGED, "manifest"}


def test_every_column_that_could_name_a_row_is_known():
    for name, rule in MERGED.items():
        table = SQLModel.metadata.tables[name]
        numbers = {column.name for column in table.columns if isinstance(column.type, Integer | JSON)}
        known = {*references(table, rule), *rule.later, own_number(table)}
        assert numbers - known == PLAIN_NUMBERS.get(name, set()), name
