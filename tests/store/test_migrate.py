import itertools
import multiprocessing
import os
import sqlite3
from collections.abc import Callable
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest
from alembic import command, op
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, inspect, make_url, text
from sqlalchemy.exc import DatabaseError
from sqlmodel import SQLModel

from store.engine import open_engine
from store.errors import DamagedStore, NewerStore
from store.migrate import _config, check_integrity, migrate, open_store, schema_of
from store.settings import Settings
from store.tables import END_NUMBER, FIRST_NUMBER
from tests.waiting import PATIENCE_S


def database(settings: Settings) -> Path:
    return Path(make_url(settings.url).database)


def checks(engine: Engine) -> dict[str, list[str]]:
    """The CHECK constraints of every table, which autogenerate does not compare."""
    found = inspect(engine)
    tables = [name for name in found.get_table_names() if name != "alembic_version"]
    return {table: sorted(check["name"] for check in found.get_check_constraints(table)) for table in tables}


def test_a_migrated_store_equals_the_tables(any_engine: Engine) -> None:
    with any_engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, SQLModel.metadata) == []


def test_a_migrated_store_checks_the_same_words_as_the_tables(engine: Engine, tmp_path: Path) -> None:
    from_tables = open_engine(f"sqlite:///{tmp_path / 'tables.db'}")
    SQLModel.metadata.create_all(from_tables)
    assert checks(engine) == checks(from_tables)
    from_tables.dispose()


def test_migrating_twice_changes_nothing(any_engine: Engine, fill: Callable) -> None:
    fill(any_engine)
    with any_engine.connect() as connection:
        before = schema_of(connection)
    migrate(any_engine)
    with any_engine.connect() as connection:
        assert schema_of(connection) == before
        assert connection.execute(text("SELECT count(*) FROM image")).scalar() == 6


def test_a_newer_store_is_refused_and_left_as_it_is(any_settings: Settings) -> None:
    engine = open_store(any_settings)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(NewerStore, match=r"schema 9999.*upgrade Naysayer"):
        open_store(any_settings)
    with engine.connect() as connection:
        assert schema_of(connection) == "9999"
    engine.dispose()


def test_a_migration_stopped_midway_leaves_the_old_schema(
    any_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    upgrade = command.upgrade

    def upgrade_then_fail(*arguments: object) -> None:
        upgrade(*arguments)
        raise KeyboardInterrupt

    engine = open_engine(any_settings.url)
    monkeypatch.setattr(command, "upgrade", upgrade_then_fail)
    with pytest.raises(KeyboardInterrupt):
        migrate(engine)
    assert inspect(engine).get_table_names() == []
    monkeypatch.undo()
    migrate(engine)
    assert "vote" in inspect(engine).get_table_names()
    engine.dispose()


@pytest.mark.parametrize("table", ["prompt", "image", "vote"])
def test_a_migration_killed_midway_leaves_the_old_schema(
    table: str, settings: Settings, exit_code_of: Callable[..., int]
) -> None:
    assert exit_code_of(migrate_and_die_at, table, settings) == 9
    engine = open_engine(settings.url)
    assert inspect(engine).get_table_names() == []
    engine.dispose()
    engine = open_store(settings)
    assert check_integrity(engine) == []
    engine.dispose()


def migrate_and_die_at(table: str, settings: Settings) -> None:
    create_table = op.create_table

    def create_table_or_die(name: str, *columns: object) -> None:
        if name == table:
            os._exit(9)
        create_table(name, *columns)

    op.create_table = create_table_or_die
    open_store(settings)


def test_many_processes_may_open_a_new_store_at_once(settings: Settings) -> None:
    context = multiprocessing.get_context("fork")
    start, failures = context.Barrier(8), context.Queue()
    processes = [context.Process(target=open_at_once, args=(settings, start, failures)) for _ in range(8)]
    for process in processes:
        process.start()
    assert [failures.get(timeout=PATIENCE_S) for _ in processes] == [""] * 8
    for process in processes:
        process.join(PATIENCE_S)
    assert {process.exitcode for process in processes} == {0}


def open_at_once(settings: Settings, start: Barrier, failures: Queue) -> None:
    try:
        start.wait(PATIENCE_S)
        open_store(settings).dispose()
        failures.put("")
    except BaseException as error:
        failures.put(repr(error))


@pytest.mark.parametrize("name", ["with space", "why?mode=memory", "100%25", "a#b", "näh"])
def test_a_data_folder_may_have_any_name(name: str, tmp_path: Path) -> None:
    engine = open_store(Settings(data_dir=tmp_path / name, _env_file=None))
    engine.dispose()
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name / "naysayer.db").stat().st_size > 0


@pytest.mark.parametrize("content", [b"not a database, only a text of some length\n" * 100, bytes(range(256)) * 64])
def test_a_file_that_is_no_database_is_refused_and_left_untouched(content: bytes, settings: Settings) -> None:
    database(settings).parent.mkdir()
    database(settings).write_bytes(content)
    with pytest.raises(DamagedStore, match="naysayer restore"):
        open_store(settings)
    assert database(settings).read_bytes() == content


def test_a_damaged_page_is_found_and_the_file_left_untouched(settings: Settings, fill: Callable) -> None:
    engine = open_store(settings)
    fill(engine)
    engine.dispose()
    sound = database(settings).read_bytes()
    page_bytes = int.from_bytes(sound[16:18], "big")
    for start in range(0, len(sound), page_bytes):
        damaged = sound[:start] + b"\xa5" * page_bytes + sound[start + page_bytes :]
        database(settings).write_bytes(damaged)
        assert is_refused_or_reported(settings), f"page {start // page_bytes + 1} of {len(sound) // page_bytes}"
        assert database(settings).read_bytes() == damaged


def is_refused_or_reported(settings: Settings) -> bool:
    try:
        engine = open_store(settings)
    except DamagedStore:
        return True
    found = check_integrity(engine)
    engine.dispose()
    return bool(found)


def test_a_row_that_refers_to_a_missing_one_is_reported(engine: Engine, settings: Settings, fill: Callable) -> None:
    fill(engine)
    assert check_integrity(engine) == []
    careless = sqlite3.connect(database(settings))
    careless.execute("DELETE FROM prompt WHERE id = 1")
    careless.commit()
    careless.close()
    assert any("of image refers to a missing row of prompt" in found for found in check_integrity(engine))


def test_rows_of_the_first_schema_survive_with_their_references(any_settings: Settings) -> None:
    engine = open_engine(any_settings.url)
    with engine.begin() as connection:
        command.upgrade(_config(connection), "0001")
    rows = {
        "rater": "(id, name, created_at) VALUES (1, 'ann', '2026-01-01')",
        "prompt": "(id, text, source, is_active, created_at) VALUES (1, 'a red star', '', true, '2026-01-01')",
        "version": "(number, base_model, base_sha256, rule, strength, settings, libraries, code_commit, curve, "
        "train_seconds, created_at) VALUES (0, 'builtin', '0', 'plain', 0, '{}', '{}', '', '[]', 0, '2026-01-01')",
        "image": "(id, work_key, sha256, prompt_id, negative_prompt, seed, rule, strength, guidance_scale, "
        "num_inference_steps, width, height, version, origin, is_queued, created_at) "
        "VALUES (1, 'k', 's', 1, '', 7, 'plain', 0, 3, 20, 64, 64, 0, 'sampled', true, '2026-01-01')",
        "lease": "(id, image_id, rater_id, expires_at) VALUES (1, 1, 1, '2026-01-01')",
        "vote": "(id, request_id, rater_id, image_id, verdict, page, received_at) "
        "VALUES (1, 'r', 1, 1, 'reject', 'one', '2026-01-01')",
    }
    with engine.begin() as connection:
        for table, values in rows.items():
            connection.execute(text(f"INSERT INTO {table} {values}"))
    migrate(engine)
    with engine.connect() as connection:
        counts = {table: connection.execute(text(f"SELECT count(*) FROM {table}")).scalar() for table in rows}
        added = connection.execute(text("SELECT overlap, number, shuffle FROM image")).one()
        rater = connection.execute(text("SELECT role, is_paused, is_excluded FROM rater")).one()
    assert counts == dict.fromkeys(rows, 1)
    assert added.overlap is None
    assert FIRST_NUMBER <= added.number < END_NUMBER
    assert 0 <= added.shuffle < 2**31
    assert (rater.role, bool(rater.is_paused), bool(rater.is_excluded)) == ("rater", False, False)
    assert check_integrity(engine) == []
    with pytest.raises(DatabaseError), engine.begin() as connection:  # foreign keys are on again, the words checked
        connection.execute(text("DELETE FROM image"))
    with pytest.raises(DatabaseError), engine.begin() as connection:
        connection.execute(text("UPDATE image SET origin = 'elsewhere'"))
    engine.dispose()


def test_pictures_get_random_numbers_and_open_pages_keep_theirs(any_settings: Settings) -> None:
    engine = open_engine(any_settings.url)
    with engine.begin() as connection:
        command.upgrade(_config(connection), "0008")
        run = connection.exec_driver_sql
        run("INSERT INTO rater (id, name, name_key, created_at) VALUES (1, 'ann', 'ann', '2026-01-01')")
        run("INSERT INTO prompt (id, text, source, is_active, created_at) VALUES (1, 'a', '', true, '2026-01-01')")
        run(
            "INSERT INTO version (number, base_model, base_sha256, rule, strength, settings, libraries, code_commit, "
            "curve, train_seconds, created_at) VALUES (0, 'b', '0', 'plain', 0, '{}', '{}', '', '[]', 0, '2026-01-01')"
        )
        for n in range(1, 301):
            run(
                "INSERT INTO image (id, work_key, sha256, prompt_id, negative_prompt, seed, rule, strength, "
                "guidance_scale, num_inference_steps, width, height, version, origin, is_queued, created_at) VALUES "
                f"({n}, 'k{n}', 's{n}', 1, '', {n}, 'plain', 0, 3, 20, 64, 64, 0, 'sampled', true, '2026-01-01')"
            )
        run("INSERT INTO lease (id, image_id, rater_id, expires_at) VALUES (1, 7, 1, '2026-01-01')")
        run(
            "INSERT INTO vote (id, request_id, rater_id, image_id, verdict, page, received_at) "
            "VALUES (1, 'r', 1, 7, 'reject', 'one', '2026-01-01')"
        )
        run("INSERT INTO repeat (id, rater_id, image_id, first_vote_id, created_at) VALUES (1, 1, 7, 1, '2026-01-01')")
    migrate(engine)
    with engine.connect() as connection:
        numbers = list(connection.execute(text("SELECT number FROM image ORDER BY id")).scalars())
        again = connection.execute(text("SELECT number FROM repeat")).scalar_one()
        assert bool(connection.execute(text("SELECT knows_row FROM lease")).scalar_one())
    assert len({*numbers, again}) == 301
    assert all(FIRST_NUMBER <= number < END_NUMBER for number in (*numbers, again))
    assert 100 < sum(one < other for one, other in itertools.pairwise(numbers)) < 200
    with pytest.raises(DatabaseError), engine.begin() as connection:
        connection.execute(text("UPDATE image SET number = :n WHERE id = 2"), {"n": numbers[0]})
    engine.dispose()
