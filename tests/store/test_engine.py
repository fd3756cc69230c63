import json
import shutil
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import ModuleType

import pytest
from sqlalchemy import Engine, text
from sqlmodel import func, select

from feedback.versions import begin
from store.engine import has_wal_reset_bug, is_sqlite, open_engine, open_reader, reading, sqlite_module, writing
from store.errors import BadRequest, DamagedStore, MovedStore, StoreError
from store.settings import Settings
from store.tables import Prompt, Rater, Version

AFFECTED = [(3, 7, 0), (3, 40, 1), (3, 44, 5), (3, 45, 0), (3, 50, 6), (3, 51, 0), (3, 51, 2)]
SAFE = [(3, 6, 23), (3, 44, 6), (3, 44, 9), (3, 50, 7), (3, 51, 3), (3, 52, 0), (3, 53, 4), (4, 0, 0)]


@pytest.mark.parametrize("version", AFFECTED)
def test_engines_before_the_fix_have_the_wal_reset_bug(version: tuple[int, ...]) -> None:
    assert has_wal_reset_bug(version)


@pytest.mark.parametrize("version", SAFE)
def test_engines_with_the_fix_do_not_have_the_wal_reset_bug(version: tuple[int, ...]) -> None:
    assert not has_wal_reset_bug(version)


def test_a_new_file_that_another_is_about_to_write_is_waited_for(tmp_path: Path) -> None:
    other = sqlite_module().connect(tmp_path / "new.db", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")  # before the file is in WAL mode
    threading.Timer(0.5, lambda: other.execute("COMMIT")).start()
    with open_engine(f"sqlite:///{tmp_path / 'new.db'}").connect() as connection:
        assert connection.execute(text("SELECT 1")).scalar() == 1


def test_wal_is_used_exactly_where_it_is_safe(engine: Engine) -> None:
    is_affected = has_wal_reset_bug(sqlite_module().sqlite_version_info)
    with engine.connect() as connection:
        mode = connection.execute(text("PRAGMA journal_mode")).scalar()
    assert mode == ("delete" if is_affected else "wal")


def test_an_affected_engine_falls_back_to_a_rollback_journal_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    affected = ModuleType("affected")
    affected.__dict__.update(sqlite_module().__dict__, sqlite_version_info=(3, 50, 0))
    engine = open_engine(f"sqlite:///{tmp_path / 'a.db'}", affected)
    with engine.connect() as connection:
        assert connection.execute(text("PRAGMA journal_mode")).scalar() == "delete"
    assert "WAL-reset bug" in caplog.text
    engine.dispose()


@pytest.mark.parametrize(("pragma", "value"), [("synchronous", 2), ("foreign_keys", 1), ("trusted_schema", 0)])
def test_every_connection_is_durable_and_checked(pragma: str, value: int, engine: Engine) -> None:
    with engine.connect() as one, engine.connect() as other:
        assert {connection.execute(text(f"PRAGMA {pragma}")).scalar() for connection in (one, other)} == {value}


def test_only_a_writer_that_says_so_does_not_wait_for_the_disk(any_engine: Engine) -> None:
    question, durable, quick = ("PRAGMA synchronous", 2, 1)
    if any_engine.dialect.name == "postgresql":
        question, durable, quick = ("SHOW synchronous_commit", "on", "off")
    found = []
    for is_durable in (True, False, True):
        with writing(any_engine, is_durable=is_durable) as session:
            found.append(session.execute(text(question)).scalar())
    assert found == [durable, quick, durable]


def test_what_a_writer_raised_in_rolls_back(any_engine: Engine) -> None:
    for stop in (ValueError, KeyboardInterrupt, GeneratorExit):
        with pytest.raises(stop), writing(any_engine) as session:
            session.add(Rater(name="ann"))
            session.flush()
            raise stop
    with reading(any_engine) as session:
        assert session.exec(select(Rater)).all() == []


def test_rows_may_be_read_after_the_block(any_engine: Engine) -> None:
    with writing(any_engine) as session:
        rater = Rater(name="ann")
        session.add(rater)
    assert (rater.id, rater.name) == (1, "ann")


def test_a_reader_sees_one_instant(any_engine: Engine) -> None:
    with reading(any_engine) as session:
        before = session.exec(select(func.count()).select_from(Rater)).one()
        with writing(any_engine) as other:
            other.add(Rater(name="ann"))
        after = session.exec(select(func.count()).select_from(Rater)).one()
    assert (before, after) == (0, 0)


def test_writers_that_read_first_wait_for_each_other(any_engine: Engine) -> None:
    with writing(any_engine) as session:
        session.add(Prompt(text="0"))
    errors: list[BaseException] = []

    def count_up() -> None:
        try:
            for _ in range(25):
                with writing(any_engine) as session:
                    row = session.exec(select(Prompt)).one()
                    row.text = str(int(row.text) + 1)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=count_up) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with reading(any_engine) as session:
        assert (errors, session.exec(select(Prompt.text)).one()) == ([], "200")


def test_is_sqlite_tells_the_engines_apart(any_engine: Engine, request: pytest.FixtureRequest) -> None:
    assert is_sqlite(any_engine) == ("sqlite" in request.node.name.rpartition("[")[2])


@pytest.mark.parametrize("how", ["moved", "deleted", "replaced", "folder moved", "folder replaced", "folder deleted"])
@pytest.mark.parametrize("kind", [reading, writing])
def test_a_store_that_is_moved_while_it_is_open_is_used_no_more(
    how: str, kind: Callable, settings: Settings, engine: Engine
) -> None:
    with writing(engine) as session:
        session.add(Rater(name="ann"))
    file, folder = settings.data_dir / "naysayer.db", settings.data_dir
    sound = file.read_bytes()
    if how.startswith("folder"):
        folder.rename(folder.with_name("elsewhere"))
    else:
        file.rename(file.with_name("elsewhere.db"))
    if how == "folder replaced":
        shutil.copytree(folder.with_name("elsewhere"), folder)
    elif how == "folder deleted":
        shutil.rmtree(folder.with_name("elsewhere"))
    elif how == "replaced":
        file.write_bytes(sound)
    elif how == "deleted":
        file.with_name("elsewhere.db").unlink()
    for _ in range(2):
        with pytest.raises(MovedStore, match="nothing more is written"), kind(engine) as session:
            session.add(Rater(name="bob"))
    assert file.exists() == ("replaced" in how)


def test_no_new_database_is_made_where_the_old_one_was(settings: Settings, engine: Engine) -> None:
    with reading(engine) as session:
        session.exec(select(Rater)).all()
    engine.dispose()
    settings.data_dir.rename(settings.data_dir.with_name("elsewhere"))
    settings.data_dir.mkdir()
    with pytest.raises(MovedStore), reading(engine) as session:
        session.exec(select(Rater)).all()
    assert list(settings.data_dir.iterdir()) == []


def test_damage_that_comes_later_is_told_with_the_way_out(settings: Settings, engine: Engine) -> None:
    with writing(engine) as session:
        session.add_all([Prompt(text=f"prompt {n} {'x' * 500}") for n in range(400)])
    engine.dispose()
    file = settings.data_dir / "naysayer.db"
    sound = file.read_bytes()
    with file.open("r+b") as damaged:
        damaged.seek(len(sound) // 2)
        damaged.write(b"\xa5" * (len(sound) - len(sound) // 2))
    with pytest.raises(DamagedStore, match="naysayer restore"), reading(engine) as session:
        session.exec(select(Prompt)).all()
    with pytest.raises(DamagedStore, match="naysayer restore"), writing(engine) as session:
        session.add_all([Prompt(text=f"more {n} {'x' * 500}") for n in range(400)])


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        ("prompt", "text", "CAST(x'fffe41' AS TEXT)"),
        ("prompt", "created_at", "'yesterday'"),
        ("prompt", "created_at", "x'00ff'"),
        ("rater", "role", "'king'"),
        ("version", "settings", "'{\"cut'"),
        ("version", "settings", "CAST(x'fffe41' AS TEXT)"),
    ],
)
def test_a_row_that_cannot_be_read_is_damage(table: str, column: str, value: str, settings: Settings, engine) -> None:
    begin(engine, "builtin", "0" * 64)
    with writing(engine) as session:
        session.add(Rater(name="ann"))
        session.add(Prompt(text="a red star"))
    with closing(sqlite_module().connect(settings.data_dir / "naysayer.db")) as careless:
        careless.execute("PRAGMA ignore_check_constraints=ON")
        careless.execute(f"UPDATE {table} SET {column} = {value}")
        careless.commit()
    kind = {"prompt": Prompt, "rater": Rater, "version": Version}[table]
    with pytest.raises(DamagedStore, match=r"naysayer\.db is damaged .*naysayer restore"), reading(engine) as session:
        session.exec(select(kind)).all()


def test_an_error_of_the_code_is_no_damage(engine: Engine) -> None:
    for error in (ValueError("mine"), KeyError("mine"), json.JSONDecodeError("mine", "", 0)):
        with pytest.raises(type(error), match="mine"), reading(engine):
            raise error


def test_a_reader_cannot_write(settings: Settings, engine: Engine) -> None:
    reader = open_reader(settings.url, settings.data_dir / "naysayer.db")
    with pytest.raises(StoreError, match="can only be read"), reader.begin() as connection:
        connection.execute(text("DELETE FROM prompt"))
    reader.dispose()


def test_a_store_url_without_a_file_is_refused() -> None:
    for url in ("sqlite://", "sqlite:///:memory:"):
        with pytest.raises(BadRequest, match="names no file"):
            open_engine(url)


@pytest.mark.parametrize("session", [reading, writing])
def test_a_text_that_no_database_can_hold_is_a_bad_value_and_no_damage(engine: Engine, session) -> None:
    with pytest.raises(BadRequest, match=r"'Jos\\udce9' is not UTF-8 text \(U\+DCE9\)"), session(engine) as opened:
        opened.exec(select(Prompt).where(Prompt.text == "Jos\udce9")).all()
