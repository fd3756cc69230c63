import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from feedback.versions import begin
from store.engine import sqlite_module
from store.errors import DamagedStore, OtherStore, StoreError
from store.files import sha256_of
from store.layout import layout_of
from store.migrate import open_store, read_store
from store.safety.identity import MARK, list_unknown
from store.settings import Settings

LORA = b"a small negative LoRA"


@pytest.fixture
def filled(settings: Settings, fill: Callable, publish_version: Callable) -> Settings:
    """A store with six pictures and one version."""
    engine, layout = open_store(settings), layout_of(settings)
    fill(engine, put=layout.blobs.put)
    folder = layout.version_folder(sha256_of(LORA))
    folder.mkdir()
    (folder / "adapter.safetensors").write_bytes(LORA)
    publish_version(engine, 1, sha256=sha256_of(LORA))
    engine.dispose()
    return settings


def everything(folder: Path) -> dict[str, bytes]:
    """Every file below the folder but SQLite's own beside its database."""
    files = [path for path in folder.rglob("*") if path.is_file() and not path.name.endswith(("-wal", "-shm", ".line"))]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def database(settings: Settings) -> Path:
    return settings.data_dir / "naysayer.db"


def unmark(settings: Settings) -> None:
    for folder in ("blobs", "versions"):
        (settings.data_dir / folder / MARK).unlink()


@pytest.mark.parametrize("opened", [open_store, read_store])
@pytest.mark.parametrize("kept", [("blobs", "versions"), ("blobs",), ("versions",)])
@pytest.mark.parametrize("harm", ["missing", "no byte", "no table"])
@pytest.mark.parametrize("is_marked", [True, False])
def test_a_lost_database_beside_pictures_or_versions_is_refused_and_nothing_changes(
    opened: Callable, kept: tuple, harm: str, is_marked: bool, filled: Settings
) -> None:
    if not is_marked:
        unmark(filled)
    for name in {"blobs", "versions"} - set(kept):
        shutil.rmtree(filled.data_dir / name)
    database(filled).unlink()
    if harm == "no byte":
        database(filled).touch()
    elif harm == "no table":
        with closing(sqlite_module().connect(database(filled))) as empty:
            empty.execute("PRAGMA user_version=1")
    before = everything(filled.data_dir)
    with pytest.raises(DamagedStore, match=r"(missing or empty|empty), but .* nothing was changed; .*naysayer restore"):
        opened(filled)
    assert everything(filled.data_dir) == before


def test_a_database_that_is_put_back_opens_again(filled: Settings, tmp_path: Path) -> None:
    database(filled).rename(tmp_path / "elsewhere.db")
    with pytest.raises(DamagedStore):
        open_store(filled)
    (tmp_path / "elsewhere.db").rename(database(filled))
    open_store(filled).dispose()


@pytest.mark.parametrize("is_marked", [True, False])
def test_another_database_is_refused_by_the_folders(
    is_marked: bool, filled: Settings, fill: Callable, tmp_path: Path
) -> None:
    if not is_marked:
        unmark(filled)
    other = Settings(data_dir=tmp_path / "other", _env_file=None)
    engine = open_store(other)
    fill(engine, images=3, put=lambda data: sha256_of(b"other" + data))
    engine.dispose()
    mixed = filled.model_copy(update={"store_url": f"sqlite:///{database(other)}"})
    before, theirs = everything(filled.data_dir), everything(other.data_dir)
    with pytest.raises(OtherStore, match="NAYSAYER_DATA_DIR and NAYSAYER_STORE_URL"):
        open_store(mixed)
    assert (everything(filled.data_dir), everything(other.data_dir)) == (before, theirs)


def test_a_new_database_elsewhere_is_refused_by_folders_with_files(filled: Settings, tmp_path: Path) -> None:
    unmark(filled)
    before = everything(filled.data_dir)
    for url in (f"sqlite:///{tmp_path / 'new.db'}", f"sqlite:///{tmp_path / 'folder' / 'new.db'}"):
        with pytest.raises(DamagedStore, match="missing or empty"):
            open_store(filled.model_copy(update={"store_url": url}))
    assert everything(filled.data_dir) == before


def test_a_database_swapped_for_another_stores_is_refused(filled: Settings, tmp_path: Path) -> None:
    other = Settings(data_dir=tmp_path / "other", _env_file=None)
    open_store(other).dispose()
    shutil.copy(database(other), database(filled))
    with pytest.raises(OtherStore):
        open_store(filled)


def test_folders_of_an_earlier_program_get_the_stores_mark(filled: Settings) -> None:
    unmark(filled)
    open_store(filled).dispose()
    marks = {(filled.data_dir / name / MARK).read_text() for name in ("blobs", "versions")}
    assert len(marks) == 1


def test_a_store_with_its_database_elsewhere_knows_its_folders(filled: Settings, tmp_path: Path) -> None:
    database(filled).rename(tmp_path / "moved.db")
    moved = filled.model_copy(update={"store_url": f"sqlite:///{tmp_path / 'moved.db'}"})
    open_store(moved).dispose()
    unmark(filled)
    open_store(moved).dispose()
    shutil.rmtree(filled.data_dir)
    open_store(moved).dispose()  # with the folders gone nothing is there that could be another's


def test_strays_and_empty_folders_are_nobodys(settings: Settings) -> None:
    for name in ("blobs", "versions"):
        (settings.data_dir / name).mkdir(parents=True)
        (settings.data_dir / name / ".DS_Store").write_bytes(b"stray")
        (settings.data_dir / name / MARK).write_text("not an id")
    engine = open_store(settings)
    begin(engine, "builtin", "0" * 64)
    assert [path.name for path in list_unknown(engine, layout_of(settings))] == [".DS_Store"]
    engine.dispose()
    open_store(settings).dispose()


def test_a_foreign_database_is_no_store(settings: Settings, tmp_path: Path) -> None:
    with closing(sqlite_module().connect(tmp_path / "photos.db")) as theirs:
        theirs.execute("CREATE TABLE album (name TEXT)")
    with pytest.raises(StoreError, match="no store of Naysayer"):
        open_store(settings.model_copy(update={"store_url": f"sqlite:///{tmp_path / 'photos.db'}"}))
