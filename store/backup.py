"""A whole store in one file, and how to restore it.

The database is copied first, then the files that it names: files never change, so none is missing.
"""

import io
import json
import re
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Engine, func, make_url
from sqlmodel import col, select

from store.engine import open_engine, reading, sqlite_module
from store.errors import BadRequest, DamagedStore
from store.files import fsync_folder, make_folder, remove_folder, sha256_of_file
from store.layout import Layout, layout_of
from store.migrate import check_integrity, migrate, schema_of
from store.settings import Settings
from store.tables import Image, Version, Vote

DATABASE, CONTENTS = "naysayer.db", "backup.json"
FORMAT = 1
MAX_CONTENTS_BYTES = 2**30
ALLOWED_NAME = re.compile(r"naysayer\.db|blobs/[0-9a-f]{2}/[0-9a-f]{64}|versions/[0-9a-f]{64}/\w[\w.-]{0,99}", re.ASCII)


class Contents(NamedTuple):
    """The first member of a backup: `files` is every other one with its SHA-256, `votes` the rows of that table."""

    schema: str
    votes: int
    images: int
    versions: int
    files: dict[str, str]


class BackupReport(NamedTuple):
    """What a backup holds: every row of `vote` and `image`, whatever counts. `bytes` is the size of its file."""

    path: Path
    schema: str
    presses: int
    images: int
    versions: int
    files: int
    bytes: int


def backup(settings: Settings, target: Path) -> BackupReport:
    """Writes the store into a new tar file while others use the store; returns what the file holds.

    Raises BadRequest when `target` exists or the store is not in SQLite, DamagedStore when a file it needs is
    missing or has changed.
    """
    source = _sqlite_file(settings)
    if target.exists():
        raise BadRequest(f"{target} exists and a backup never overwrites a file; choose another name")
    if not source.exists():
        raise BadRequest(f"there is no store at {source}; check NAYSAYER_DATA_DIR")
    make_folder(target.parent)
    with _temporary_folder(target.parent, f".{target.name}.") as folder:
        copy = folder / DATABASE
        _copy_database(source, copy)
        contents = _contents(copy, layout_of(settings))
        _write_archive(folder / "backup.tar", contents, copy, settings.data_dir)
        (folder / "backup.tar").replace(target)
    fsync_folder(target.parent)
    return _report(target, contents)


def restore(archive: Path, settings: Settings) -> BackupReport:
    """Makes the data folder from a backup, completely or not at all; returns what it holds.

    Raises BadRequest when the data folder is not empty or the store is not in SQLite, DamagedStore when the
    archive does not hold a complete and sound store, NewerStore when a newer Naysayer wrote it.
    """
    final = settings.data_dir.resolve()
    _sqlite_file(settings)
    if settings.store_url:
        raise BadRequest("a backup is restored into the data folder; unset NAYSAYER_STORE_URL and restore again")
    if final.exists() and (not final.is_dir() or any(final.iterdir())):
        raise BadRequest(f"{final} is not empty and is left as it is; restore into another NAYSAYER_DATA_DIR")
    make_folder(final.parent)
    with _temporary_folder(final.parent, f".{final.name}.restore-") as folder:
        contents = _extract(archive, folder)
        _check(archive, folder, contents)
        _flush_all(folder)
        folder.rename(final)
    fsync_folder(final.parent)
    return _report(archive, contents)


def _sqlite_file(settings: Settings) -> Path:
    url = make_url(settings.url)
    if url.get_backend_name() != "sqlite" or not url.database:
        raise BadRequest(
            f"the store {url} is not a SQLite file; save the database with pg_dump, "
            f"then copy the folders blobs and versions of {settings.data_dir}"
        )
    return Path(url.database)


@contextmanager
def _temporary_folder(parent: Path, prefix: str) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
    try:
        yield folder
    finally:
        remove_folder(folder)


def _copy_database(source: Path, copy: Path) -> None:
    module = sqlite_module()
    with closing(module.connect(source, timeout=30)) as live, closing(module.connect(copy)) as written:
        live.backup(written)


@contextmanager
def _opened(database: Path) -> Iterator[Engine]:
    engine = open_engine(Settings(data_dir=database.parent, store_url="").url)
    try:
        yield engine
    finally:
        engine.dispose()


def _contents(copy: Path, layout: Layout) -> Contents:
    with _opened(copy) as engine:
        if found := check_integrity(engine):
            raise DamagedStore(f"the database is damaged ({found[0]}); nothing was written; restore an earlier backup")
        summary, blobs, versions = _summary(engine), _blobs(engine), _versions(engine)
    files = {DATABASE: sha256_of_file(copy)}
    for path in [layout.blobs.path(sha256) for sha256 in blobs]:
        files[path.relative_to(layout.root).as_posix()] = _checked_hash(path)
    for path in [file for sha256 in versions for file in _files_of(layout.version_folder(sha256))]:
        files[path.relative_to(layout.root).as_posix()] = sha256_of_file(path)
    if missing := _missing_versions(versions, files):
        raise DamagedStore(f"a file of version {missing[0]} has changed; restore it from an earlier backup")
    return Contents(*summary, files)


def _missing_versions(versions: list[str], files: dict[str, str]) -> list[str]:
    """The versions with no file of the hash that names them."""
    return [v for v in versions if not any(name.startswith(f"versions/{v}/") and files[name] == v for name in files)]


def _summary(engine: Engine) -> tuple[str, int, int, int]:
    with reading(engine) as session:
        schema = schema_of(session.connection())
        if schema is None:
            raise BadRequest("the store is empty: it has no tables yet; there is nothing to back up")
        votes, images, versions = (
            session.exec(select(func.count()).select_from(table)).one() for table in (Vote, Image, Version)
        )
        return schema, votes, images, versions


def _blobs(engine: Engine) -> list[str]:
    """The hashes that the rows name."""
    with reading(engine) as session:
        pairs = session.exec(select(Image.sha256, Image.latent_sha256)).all()
    return sorted({sha256 for pair in pairs for sha256 in pair if sha256})


def _versions(engine: Engine) -> list[str]:
    with reading(engine) as session:
        published = select(Version.sha256).where(col(Version.sha256).is_not(None))
        return [sha256 for sha256 in session.exec(published) if sha256]


def _checked_hash(blob: Path) -> str:
    if not blob.exists() or sha256_of_file(blob) != blob.name:
        raise DamagedStore(f"the file {blob} is missing or has changed; restore it from an earlier backup")
    return blob.name


def _files_of(version_folder: Path) -> list[Path]:
    if not version_folder.is_dir():
        raise DamagedStore(f"the folder {version_folder} is missing; restore it from an earlier backup")
    return sorted(path for path in version_folder.iterdir() if path.is_file())


def _write_archive(target: Path, contents: Contents, copy: Path, data_dir: Path) -> None:
    body = json.dumps({"format": FORMAT, **contents._asdict()}).encode()
    with target.open("wb") as file, tarfile.open(fileobj=file, mode="w") as tar:
        first = tarfile.TarInfo(CONTENTS)
        first.size = len(body)
        tar.addfile(first, io.BytesIO(body))
        for name in contents.files:
            tar.add(copy if name == DATABASE else data_dir / name, name, recursive=False, filter=_without_owner)
    fsync_folder(target)


def _without_owner(member: tarfile.TarInfo) -> tarfile.TarInfo:
    return member.replace(uid=0, gid=0, uname="", gname="", deep=False)


def _extract(archive: Path, folder: Path) -> Contents:
    try:
        with tarfile.open(archive, "r:") as tar:
            contents = _read_contents(tar)
            _extract_listed(tar, contents, folder)
    except FileNotFoundError as error:
        raise BadRequest(f"there is no backup {archive}; nothing was restored") from error
    except (tarfile.TarError, ValueError, KeyError, TypeError, EOFError, OverflowError, RecursionError) as error:
        raise _damaged(archive, f"{type(error).__name__}: {error}") from error
    return contents


def _read_contents(tar: tarfile.TarFile) -> Contents:
    first = tar.next()
    if first is None or first.name != CONTENTS or not first.isreg() or first.size > MAX_CONTENTS_BYTES:
        raise ValueError(f"it does not begin with {CONTENTS}")
    file = tar.extractfile(first)
    row = json.loads(file.read() if file else b"")
    if row.pop("format") != FORMAT:
        raise ValueError("it has another format")
    contents = Contents(**row)
    if not all(ALLOWED_NAME.fullmatch(name) for name in contents.files):
        raise ValueError("it lists a name that no store has")
    return contents


def _extract_listed(tar: tarfile.TarFile, contents: Contents, folder: Path) -> None:
    missing = set(contents.files)
    while member := tar.next():
        is_plain = member.type in (tarfile.REGTYPE, tarfile.AREGTYPE) and not member.issparse()
        if not is_plain or member.name not in missing:
            raise ValueError(f"{member.name[:100]!r} does not belong in it")
        tar.extract(member, folder, filter="data")
        missing.remove(member.name)
    if missing:
        raise ValueError(f"{len(missing)} of {len(contents.files)} files are missing")


def _check(archive: Path, folder: Path, contents: Contents) -> None:
    for name, sha256 in contents.files.items():
        if sha256_of_file(folder / name) != sha256:
            raise _damaged(archive, f"{name} has another hash")
    if DATABASE not in contents.files:
        raise _damaged(archive, "it holds no database")
    with _opened(folder / DATABASE) as engine:
        if found := check_integrity(engine):
            raise _damaged(archive, found[0])
        if _summary(engine) != contents[:-1]:
            raise _damaged(archive, "its database is not the one it describes")
        migrate(engine)
        missing = [blob for blob in _blobs(engine) if contents.files.get(f"blobs/{blob[:2]}/{blob}") != blob]
        missing += _missing_versions(_versions(engine), contents.files)
    if missing:
        raise _damaged(archive, f"{len(missing)} files are missing, {missing[0]} is the first")


def _damaged(archive: Path, found: str) -> DamagedStore:
    return DamagedStore(f"{archive} is not a whole backup ({found}); nothing was restored; use another backup")


def _flush_all(folder: Path) -> None:
    for path in (*folder.rglob("*"), folder):
        fsync_folder(path)


def _report(archive: Path, contents: Contents) -> BackupReport:
    schema, presses, images, versions, files = contents
    return BackupReport(archive, schema, presses, images, versions, len(files), archive.stat().st_size)
