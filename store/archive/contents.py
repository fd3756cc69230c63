"""What a backup holds: the database, the files that its rows name, and the list of both, which comes first."""

import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import TypeAdapter
from sqlalchemy import Engine, func, make_url
from sqlmodel import col, select

from store.archive.in_bucket import list_blobs, list_version
from store.engine import open_engine, reading
from store.errors import BadRequest, StoreError
from store.files import Blobs, sha256_of_file
from store.layout import Layout
from store.migrate import schema_of
from store.settings import Settings
from store.tables import Image, Version, Vote

DATABASE, CONTENTS = "naysayer.db", "backup.json"
FILE_OF_A_VERSION = r"versions/[0-9a-f]{64}/\w[\w.-]{0,99}"
ALLOWED_NAME = re.compile(rf"naysayer\.db|blobs/[0-9a-f]{{2}}/[0-9a-f]{{64}}|{FILE_OF_A_VERSION}", re.ASCII)
WEIGHTS = ".safetensors"


class Contents(NamedTuple):
    """The first member of a backup. `files` is every other one with its SHA-256, `votes` the rows of that table.

    `missing` names what rows name and the store lacked: files of pictures, folders of versions.
    """

    format: Literal[1]
    schema: str
    votes: int
    images: int
    versions: int
    files: dict[str, str]
    missing: tuple[str, ...] = ()

    @property
    def counts(self) -> tuple[str, int, int, int]:
        return self.schema, self.votes, self.images, self.versions


CONTENTS_JSON = TypeAdapter(Contents)


class BackupReport(NamedTuple):
    """What a backup holds: every row of `vote` and `image`, whatever counts. `bytes` is the size of its file."""

    path: Path
    schema: str
    presses: int
    images: int
    versions: int
    files: int
    bytes: int
    missing: tuple[str, ...]


def report_of(archive: Path, contents: Contents) -> BackupReport:
    """What the archive with these contents holds."""
    return BackupReport(archive, *contents.counts, len(contents.files), archive.stat().st_size, contents.missing)


class Hashes(NamedTuple):
    """The hashes of a published version: its diffusers file's (and folder's), its kohya file's, its manifest's."""

    diffusers: str
    kohya: str | None
    manifest: str | None


def sqlite_path(settings: Settings) -> Path:
    """The file of the store's database. Raises BadRequest when it is not in SQLite."""
    url = make_url(settings.url)
    if url.get_backend_name() != "sqlite" or not url.database:
        raise BadRequest(
            f"the store {url} is not a SQLite file; restore the backup into a data folder without NAYSAYER_STORE_URL, "
            "then copy its database with `naysayer move --to`"
        )
    return Path(url.database)


@contextmanager
def opened(database: Path) -> Iterator[Engine]:
    """An engine for a copy of a database."""
    engine = open_engine(Settings(data_dir=database.parent, store_url="").url)
    try:
        yield engine
    finally:
        engine.dispose()


def count_rows(engine: Engine) -> tuple[str, int, int, int]:
    """The schema, and how many votes, pictures and versions the database holds."""
    with reading(engine) as session:
        schema = schema_of(session.connection())
        if schema is None:
            raise BadRequest("the store is empty: it has no tables yet; there is nothing to back up")
        votes, images, versions = (
            session.exec(select(func.count()).select_from(table)).one() for table in (Vote, Image, Version)
        )
        return schema, votes, images, versions


def named_blobs(engine: Engine) -> list[str]:
    """The hashes of pictures and latents that the rows name."""
    with reading(engine) as session:
        pairs = session.exec(select(Image.sha256, Image.latent_sha256)).all()
    return sorted({sha256 for pair in pairs for sha256 in pair if sha256})


def named_versions(engine: Engine) -> list[Hashes]:
    """The hashes of the published versions."""
    published = select(Version.sha256, Version.kohya_sha256, Version.manifest_id)
    with reading(engine) as session:
        rows = session.exec(published.where(col(Version.sha256).is_not(None)).order_by(col(Version.number))).all()
    return [Hashes(diffusers, kohya, manifest) for diffusers, kohya, manifest in rows if diffusers]


def blob_name(sha256: str) -> str:
    """The name of a blob in a backup; of what is no hash, in a damaged row, a name that no file has.

    >>> blob_name("c0ffee".ljust(64, "0"))[:16], blob_name("../etc")
    ('blobs/c0/c0ffee0', "blobs/'../etc'")
    """
    try:
        return Blobs(Path("blobs")).path(sha256).as_posix()
    except ValueError:
        return f"blobs/{sha256[:80]!r}"


def list_files(engine: Engine, layout: Layout, altered: Collection[str] = ()) -> tuple[dict[str, str], tuple[str, ...]]:
    """The files that the rows name, with their hashes; and the names of those that are missing or damaged.

    In a bucket those are taken for whole that are there, the `altered` excepted: reading them tells.
    """
    there = None if layout.bucket is None else list_blobs(layout.bucket)
    files: dict[str, str] = {}
    for sha256 in named_blobs(engine):
        name = blob_name(sha256)
        is_there = name in there if there is not None else _hash(layout.root / name) == sha256
        if ALLOWED_NAME.fullmatch(name) and is_there:
            files[name] = sha256
    for version in named_versions(engine):
        found = list_version(layout.bucket, version.diffusers) if layout.bucket else _hashes(layout.root, version)
        files |= {name: sha256 for name, sha256 in found.items() if _belongs(version, name, sha256)}
    files = {name: sha256 for name, sha256 in files.items() if name not in altered}
    return files, tuple(list_missing(engine, files))


def list_missing(engine: Engine, files: dict[str, str]) -> list[str]:
    """What the rows name and the files lack."""
    blobs = [blob_name(sha256) for sha256 in named_blobs(engine)]
    missing = [name for name in blobs if files.get(name) != Path(name).name]
    return missing + [f"versions/{v.diffusers}" for v in named_versions(engine) if not _is_whole(v, files)]


def _is_whole(version: Hashes, files: dict[str, str]) -> bool:
    found = {sha256 for name, sha256 in files.items() if name.startswith(f"versions/{version.diffusers}/")}
    return {version.diffusers, version.kohya or version.diffusers} <= found


def _hashes(root: Path, version: Hashes) -> dict[str, str]:
    """The files in a version's folder with their hashes; empty ones where they cannot be read."""
    folder = root / "versions" / version.diffusers
    return {path.relative_to(root).as_posix(): _hash(path) for path in _inside(folder)}


def _inside(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _belongs(version: Hashes, name: str, sha256: str) -> bool:
    """Whether a file is saved: weights that have changed are not, nor what a store does not name so."""
    is_changed = name.endswith(WEIGHTS) and sha256 not in version
    return bool(sha256 and ALLOWED_NAME.fullmatch(name)) and not is_changed


def _hash(path: Path) -> str:
    """The hash of a file; empty when it is lost. Raises StoreError when this user may not read it."""
    try:
        return sha256_of_file(path)
    except PermissionError as error:
        raise StoreError(
            f"{path} is there, but this user may not read it ({error.strerror}), so nothing was written; run the "
            "command as the user to whom the store belongs, or give this one the right to read it"
        ) from error
    except OSError:
        return ""
