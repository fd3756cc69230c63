import gc
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, make_url, text
from sqlmodel import select

from store.engine import reading, writing
from store.errors import DamagedStore, NewerStore, StoreError
from store.migrate import open_store, read_store
from store.settings import Settings
from store.tables import Image, Prompt


def database(settings: Settings) -> Path:
    return Path(make_url(settings.url).database)


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_reading_a_store_that_is_not_there_makes_nothing(settings: Settings) -> None:
    engine = read_store(settings)
    with reading(engine) as session:
        assert session.exec(select(Prompt)).all() == []
    engine.dispose()
    assert not settings.data_dir.exists()


def test_reading_changes_nothing_and_cannot_write(settings: Settings, fill: Callable) -> None:
    engine = open_store(settings)
    fill(engine)
    engine.dispose()
    before = files(settings.data_dir)
    reader = read_store(settings)
    with reading(reader) as session:
        assert len(session.exec(select(Prompt)).all()) > 0
    with pytest.raises(StoreError, match="can only be read"), writing(reader) as session:
        session.add(Prompt(text="another"))
    reader.dispose()
    after = files(settings.data_dir)
    assert {name: after[name] for name in before} == before
    assert set(after) - set(before) <= {"naysayer.db.line", "naysayer.db-wal", "naysayer.db-shm"}


def test_reading_sees_what_another_process_has_just_written(settings: Settings, engine: Engine) -> None:
    with writing(engine) as session:
        session.add(Prompt(text="a red star"))
    reader = read_store(settings)
    with reading(reader) as session:
        assert [prompt.text for prompt in session.exec(select(Prompt))] == ["a red star"]
    reader.dispose()


@pytest.fixture
def read_only(settings: Settings, fill: Callable, tmp_path: Path) -> Iterator[Settings]:
    """A store on a disk that can only be read, where this user may mount one; its rows are still in the WAL."""
    engine = open_store(settings)
    fill(engine)
    mounted = tmp_path / "mounted"
    shutil.copytree(settings.data_dir, tmp_path / "copy")
    engine.dispose()
    mounted.mkdir()
    mounting = [
        ["mount", "--bind", str(tmp_path / "copy"), str(mounted)],
        ["mount", "-o", "remount,ro,bind", str(mounted)],
    ]
    if os.geteuid() or any(subprocess.run(command, capture_output=True).returncode for command in mounting):
        pytest.skip("this user cannot mount a disk")
    yield settings.model_copy(update={"data_dir": mounted})
    subprocess.run(["umount", str(mounted)], check=True)


def test_a_store_on_a_read_only_disk_is_read_and_writing_says_what_is_wrong(read_only: Settings) -> None:
    before = files(read_only.data_dir)
    engine = read_store(read_only)
    with reading(engine) as session:
        assert len(session.exec(select(Image)).all()) == 6
    engine.dispose()
    for path in ("naysayer.db", "naysayer.db-wal"):
        assert (read_only.data_dir / path).exists()
    with pytest.raises(StoreError, match=r"cannot be (opened|written to).*(rights to the folder|Read-only)"):
        write_a_prompt(read_only)
    assert files(read_only.data_dir) == before


def write_a_prompt(settings: Settings) -> None:
    engine = open_store(settings)
    try:
        with writing(engine) as session:
            session.add(Prompt(text="another"))
    finally:
        engine.dispose()


def test_a_newer_store_is_not_read(settings: Settings) -> None:
    engine = open_store(settings)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(NewerStore, match="schema 9999"):
        read_store(settings)


@pytest.mark.parametrize("opened", [open_store, read_store])
def test_a_damaged_page_is_seen_when_the_store_is_opened(opened: Callable, settings: Settings, fill: Callable) -> None:
    engine = open_store(settings)
    fill(engine, images=200)
    engine.dispose()
    sound = database(settings).read_bytes()
    seen = 0
    for start in range(4096, len(sound), 4096):
        damaged = sound[:start] + b"\xa5" * 4096 + sound[start + 4096 :]
        database(settings).write_bytes(damaged)
        try:
            opened(settings).dispose()
        except DamagedStore as error:
            assert "naysayer restore" in str(error)
            assert database(settings).read_bytes() == damaged
            seen += 1
    assert seen == len(sound) // 4096 - 1


def test_the_look_at_the_pages_ends_in_time(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    open_store(settings).dispose()
    monkeypatch.setattr("store.migrate.QUICK_CHECK_S", -1.0)
    monkeypatch.setattr("store.migrate.STEPS_BETWEEN_LOOKS", 1)
    open_store(settings).dispose()


def test_no_copy_that_was_read_is_left_behind(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    engine = read_store(settings)
    assert len(list((tmp_path / "temporary").iterdir())) == 1
    engine.dispose()
    del engine
    gc.collect()
    assert list((tmp_path / "temporary").iterdir()) == []
