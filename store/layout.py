"""Paths inside the data folder."""

from dataclasses import dataclass
from pathlib import Path

from store.files import Blobs
from store.settings import Settings


@dataclass(frozen=True)
class Layout:
    """Paths below the data folder; nothing is created by asking."""

    root: Path

    @property
    def blobs(self) -> Blobs:
        return Blobs(self.root / "blobs")

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
        """The folder of a published version, named by the hash of its diffusers file."""
        return self.versions / sha256


def layout_of(settings: Settings) -> Layout:
    return Layout(settings.data_dir)
