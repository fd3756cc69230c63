"""Pictures as WebDataset shards: tar files in which the files of one key are one sample.

Source: the format of webdataset/webdataset; a key holds no dot, because what follows the first one is the kind of file.
"""

import io
import json
import tarfile
from pathlib import Path

from feedback.exchange.outgoing.chosen import Chosen
from feedback.exchange.outgoing.rows import picture_row

SHARD_BYTES = 1_000_000_000


class Shards:
    """Writes shards of at most about `most` bytes into a folder, one after another."""

    def __init__(self, folder: Path, most: int = SHARD_BYTES) -> None:
        self.folder, self.most = folder, most
        self.tar: tarfile.TarFile | None = None
        self.number = self.written = 0

    def add(self, one: Chosen, png: bytes) -> Path | None:
        """Adds a picture; the path of the shard that is full with it, if it is."""
        if self.tar is None:
            self.tar = tarfile.open(self.path, "w")  # noqa: SIM115
        row = picture_row(one)
        del row["file_name"]
        files = {"png": png, "txt": one.prompt.encode(), "json": json.dumps(row, ensure_ascii=False).encode()}
        for ending, content in files.items():
            member = tarfile.TarInfo(f"{Path(one.name).stem}.{ending}")
            member.size = len(content)
            self.tar.addfile(member, io.BytesIO(content))
            self.written += len(content)
        return self.close() if self.written >= self.most else None

    @property
    def path(self) -> Path:
        return self.folder / f"train-{self.number:06d}.tar"

    def close(self) -> Path | None:
        """Ends the shard that is being written; its path, or None without one."""
        if self.tar is None:
            return None
        self.tar.close()
        done, self.tar = self.path, None
        self.number, self.written = self.number + 1, 0
        return done
