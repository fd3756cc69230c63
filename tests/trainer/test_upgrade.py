"""A store that an earlier program began goes on: every released schema, each with the built-in model of its time."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from sqlmodel import func, select

from feedback.rate.queue import next_images
from feedback.rate.terms import Terms
from feedback.rate.votes import Press, record_votes
from feedback.versions import get_version
from store.engine import open_engine, reading
from store.errors import OtherBase
from store.migrate import Begun, _config, _script, is_newest, open_store, read_store
from store.safety.copies import copy_database
from store.settings import Settings
from store.tables import Image, Verdict, Vote
from tests.trainer.conftest import PICTURES, quick_settings
from trainer.base.weights import BUILTIN_FOLDER, EARLIER_BUILTINS, locate, pin_revision
from trainer.retrain.retrain import retrain
from trainer.sample.worker import generate
from trainer.upgrade import refuse_other_base

FIRST = "1fee5583035db54c03c3d1710d186fafd68c25244067f08073ee71fe90d758da"
SECOND = "710f9f40d6caf54f2383712535740b3e275e0cff6f65ba649187988153a377ac"
"""As programs before this one recorded the built-in models: a new built-in model moves this program's into
EARLIER_BUILTINS, and adds a line here."""
RELEASED = [("0001", FIRST), ("0002", FIRST), ("0004", FIRST), ("0005", SECOND), ("0006", SECOND)]


def of_schema(schema: str, sha256: str, template: Path, folder: Path) -> Settings:
    """A rated store as the program of that schema left it, with the files of the template."""
    settings = quick_settings(folder, queue_target=4, evaluation_pairs=0, train_steps=2, strength=1.0)
    shutil.copytree(template, folder)
    now, old = folder / "now.db", folder / "naysayer.db"
    copy_database(old, now)
    for path in folder.glob("naysayer.db*"):
        path.unlink()
    for mark in folder.rglob("store.id"):
        mark.unlink()
    engine = open_engine(settings.url)
    with engine.begin() as connection:
        command.upgrade(_config(connection), schema)
    engine.dispose()
    with closing(sqlite3.connect(old)) as connection:
        connection.execute("ATTACH ? AS now", [str(now)])
        for table in tables(connection, "main"):
            shared = columns(connection, "main", table) & columns(connection, "now", table)
            both = ", ".join(f'"{name}"' for name in shared)
            if shared and table != "alembic_version":
                connection.execute(f"INSERT OR REPLACE INTO main.{table} ({both}) SELECT {both} FROM now.{table}")
        connection.execute("UPDATE version SET base_sha256 = ?, base_model = 'builtin', settings = '{}'", [sha256])
        connection.commit()
    now.unlink()
    return settings


def tables(connection: sqlite3.Connection, database: str) -> list[str]:
    rows = connection.execute(f"SELECT name FROM {database}.sqlite_master WHERE type = 'table'")
    return [name for (name,) in rows if not name.startswith("sqlite_")]


def columns(connection: sqlite3.Connection, database: str, table: str) -> set[str]:
    return {row[1] for row in connection.execute(f"PRAGMA {database}.table_info({table})")}


def files(folder: Path) -> dict[str, bytes]:
    found = [path for path in folder.rglob("*") if path.is_file() and not path.name.endswith(("-wal", "-shm"))]
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def dump(database: Path) -> list[str]:
    """Everything in a database, as SQL."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        return list(connection.iterdump())


def count(settings: Settings, table: type) -> int:
    engine = read_store(settings)
    with reading(engine) as session:
        found = session.exec(select(func.count()).select_from(table)).one()
    engine.dispose()
    return found


@pytest.mark.slow
@pytest.mark.parametrize(("schema", "sha256"), RELEASED)
def test_a_store_of_every_released_schema_and_model_draws_votes_and_retrains(
    schema: str, sha256: str, rated_template: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = of_schema(schema, sha256, rated_template, tmp_path / "data")
    before, rows = files(settings.data_dir), dump(settings.data_dir / "naysayer.db")
    assert count(settings, Vote) == PICTURES
    assert files(settings.data_dir) == before
    assert generate(settings, once=True) == 4
    kept = settings.data_dir / f"naysayer-schema-{schema}.db"
    assert str(kept) in caplog.text
    assert dump(kept) == rows
    engine = open_store(settings)
    wanted = EARLIER_BUILTINS / FIRST[:12] if sha256 == FIRST else BUILTIN_FOLDER
    assert locate(pin_revision(engine, settings)) == wanted
    shown = next_images(engine, "bob", Terms(1, 60), count=4)
    presses = [Press(f"request {image.image_id}", image.image_id, Verdict.reject) for image in shown]
    assert not any(receipt.refused for receipt in record_votes(engine, "bob", presses, Terms(1, 60)))
    assert retrain(settings, force=True).version == 1
    assert get_version(engine, 1).parent == 0
    engine.dispose()
    assert (count(settings, Vote), count(settings, Image)) == (PICTURES + 4, PICTURES + 2 + 4)


@pytest.mark.parametrize("schema", ["0001", "0006"])
def test_the_base_is_checked_before_the_schema_is_touched(schema: str, rated_template: Path, tmp_path: Path) -> None:
    settings = of_schema(schema, FIRST, rated_template, tmp_path / "data")
    other = settings.model_copy(update={"model": str(BUILTIN_FOLDER)})
    before = files(settings.data_dir)
    with pytest.raises(OtherBase):
        open_store(other)
    assert files(settings.data_dir) == before
    open_store(settings.model_copy(update={"model": str(EARLIER_BUILTINS / FIRST[:12])})).dispose()


@pytest.mark.parametrize(
    ("begun", "settings", "is_refused"),
    [
        (Begun("builtin", FIRST, {}), {}, False),
        (Begun("builtin", SECOND, {}), {}, False),
        (Begun("builtin", "0" * 64, {}), {}, True),
        (Begun("someone/else", "0" * 64, {}), {}, True),
        (Begun("someone/else", "0" * 64, {}), {"model": "someone/else"}, False),
        (Begun("builtin", FIRST, {}), {"model": "someone/else"}, True),
        (Begun("my model", FIRST, {}), {"model": str(EARLIER_BUILTINS / FIRST[:12])}, False),
        (Begun("my model", SECOND, {}), {"model": str(EARLIER_BUILTINS / FIRST[:12])}, True),
    ],
)
def test_another_base_is_told_from_the_same_without_loading_it(begun: Begun, settings: dict, is_refused: bool) -> None:
    asked = Settings(_env_file=None, **settings)
    if is_refused:
        with pytest.raises(OtherBase):
            refuse_other_base(asked, begun)
    else:
        refuse_other_base(asked, begun)


def test_a_kept_copy_never_overwrites_another(rated_template: Path, tmp_path: Path) -> None:
    settings = of_schema("0006", SECOND, rated_template, tmp_path / "data")
    database = settings.data_dir / "naysayer.db"
    before, rows = database.read_bytes(), dump(database)
    for wanted in ("naysayer-schema-0006.db", "naysayer-schema-0006-2.db"):
        open_store(settings).dispose()
        assert dump(settings.data_dir / wanted) == rows
        for path in settings.data_dir.glob("naysayer.db*"):
            path.unlink()
        database.write_bytes(before)


def test_a_migration_that_dies_leaves_the_schema_and_the_copy(
    rated_template: Path, tmp_path: Path, exit_code_of: Callable[..., int]
) -> None:
    settings = of_schema("0006", SECOND, rated_template, tmp_path / "data")
    rows = dump(settings.data_dir / "naysayer.db")
    assert exit_code_of(migrate_and_die, settings) == 9
    assert dump(settings.data_dir / "naysayer-schema-0006.db") == rows
    assert count(settings, Vote) == PICTURES
    engine = open_store(settings)
    assert is_newest(engine)
    engine.dispose()


def migrate_and_die(settings: Settings) -> None:
    import os

    from store import migrate

    upgrade = migrate.command.upgrade

    def upgrade_then_die(*arguments: object) -> None:
        upgrade(*arguments)
        os._exit(9)

    migrate.command.upgrade = upgrade_then_die
    open_store(settings)


def test_every_schema_of_a_release_is_tried_here() -> None:
    known = [script.revision for script in reversed(list(_script().walk_revisions()))]
    assert [schema for schema, _ in RELEASED] == known[: len(RELEASED)]
