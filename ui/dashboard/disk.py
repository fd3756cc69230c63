"""How much disk space the store uses, without walking through millions of files."""

import shutil
import time
from itertools import islice
from pathlib import Path

from sqlalchemy import Engine

from feedback.figures.summary import newest_blobs
from store.layout import layout_of
from store.settings import Settings
from ui.web.phrases import size

KEEP_S = 60.0
_last: dict[Path, tuple[float, str]] = {}


def disk_words(engine: Engine, settings: Settings, images: int) -> str:
    """Sizes of database, versions and pictures (number × mean of the newest), and what is free; kept for a minute."""
    root = settings.data_dir.resolve()
    made, words = _last.get(root, (-KEEP_S, ""))
    if time.monotonic() - made < KEEP_S:
        return words
    layout = layout_of(settings)
    database = sum(path.stat().st_size for path in root.glob("naysayer.db*") if path.is_file())
    versions = sum(path.stat().st_size for path in islice(layout.versions.glob("*/*"), 2000))
    blobs = [sha256 for sha256 in newest_blobs(engine, 50) if layout.blobs.path(sha256).is_file()]
    paths = [path(sha256) for sha256 in blobs for path in (layout.blobs.path, layout.display_copy)]
    sizes = [path.stat().st_size for path in paths if path.is_file()]
    pictures = images * 2 * sum(sizes) / len(blobs) if blobs else 0
    free = shutil.disk_usage(root).free if root.exists() else 0
    where = f" (in {layout.bucket_url})" if layout.bucket_url else ""
    words = (
        f"Disk: database {size(database)}, pictures and latents about {size(pictures)}{where}, "
        f"versions {size(versions)}; {size(free)} free"
    )
    _last[root] = (time.monotonic(), words)
    return words
