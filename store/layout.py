"""Paths inside the data folder, and the bucket that holds what other machines see too."""

from dataclasses import dataclass
from pathlib import Path

from store.blobs.bucket import Bucket, bucket_at
from store.blobs.cached import Cache, CachedBlobs
from store.blobs.folders import fetch_folder, read_list
from store.files import Blobs
from store.settings import Settings


@dataclass(frozen=True)
class Layout:
    """Paths below the data folder; nothing is created by asking. `bucket_url` empty: everything is in it."""

    root: Path
    bucket_url: str = ""
    cache_bytes: int = 0

    @property
    def blobs(self) -> Blobs:
        if self.bucket is None:
            return Blobs(self.root / "blobs")
        folder = self.root / "fetched"
        return CachedBlobs(self.bucket, folder, Cache((folder, self.root / "display"), self.cache_bytes))

    @property
    def bucket(self) -> Bucket | None:
        """Where pictures and versions are kept for every machine; None: in the data folder."""
        return bucket_at(self.bucket_url) if self.bucket_url else None

    def display_copy(self, sha256: str) -> Path:
        """The path of the display copy of a picture, whether or not it exists."""
        return Blobs(self.root / "display").path(sha256)

    @property
    def page_key(self) -> Path:
        return self.root / "page.key"

    @property
    def versions(self) -> Path:
        return self.root / "versions"

    @property
    def aside(self) -> Path:
        """Where a folder goes that is in the way and that nobody may delete."""
        return self.root / "aside"

    @property
    def checkpoints(self) -> Path:
        return self.root / "checkpoints"

    @property
    def cache(self) -> Path:
        return self.root / "cache"

    @property
    def settings_used(self) -> Path:
        return self.root / "settings-used.json"

    @property
    def retrain_lock(self) -> Path:
        return self.root / "retrain.lock"

    @property
    def worker_lock(self) -> Path:
        return self.root / "worker.lock"

    def version_folder(self, sha256: str) -> Path:
        """The folder of a published version, named by the hash of its diffusers file, whether or not it is here."""
        return self.versions / sha256

    def fetch_version(self, sha256: str) -> Path:
        """The folder of a published version, fetched from the bucket where it is not here yet.

        Where nobody has it, the folder does not exist. Raises NoBucket when the bucket does not answer.
        """
        folder = self.version_folder(sha256)
        if self.bucket is not None:
            fetch_folder(self.bucket, version_name(sha256), folder, self.root / "fetched")
        return folder

    def has_version(self, sha256: str) -> bool:
        """Whether the files of a version are here or in the bucket."""
        is_here = self.version_folder(sha256).is_dir()
        return is_here if self.bucket is None else read_list(self.bucket, version_name(sha256)) is not None


def version_name(sha256: str) -> str:
    """The name of a version's folder in a bucket."""
    return f"versions/{sha256}"


def layout_of(settings: Settings) -> Layout:
    return Layout(settings.data_dir, settings.blobs, int(settings.cache_gib * 2**30))
