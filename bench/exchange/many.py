"""Many pictures in and out again: `naysayer bench import`. Label Studio takes the same folder where it is named."""

import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from PIL import Image
from sqlalchemy import Engine
from tqdm import tqdm

from bench.exchange.label_studio import time_local_files
from bench.exchange.made import make_pictures
from bench.exchange.watched import own_environment, watch
from bench.rate.label_studio import require
from feedback.rate.queue import next_images
from feedback.rate.terms import Terms
from feedback.rate.votes import Press, record_votes
from feedback.versions import begin
from store.errors import NaysayerError
from store.files import remove_folder
from store.migrate import open_store
from store.settings import Settings
from store.tables import Verdict

PROCESSES, AT_ONCE = 2, 200
NAYSAYER = (sys.executable, "-m", "ui.commands")
RATER = "simulated rater 1"


def measure_many(
    count: int, folder: Path | None = None, studio: Path | None = None, say: Callable[[str], None] = print
) -> dict[str, Any]:
    """Figures of the import and of the export of `count` pictures, and of plain decoding with Pillow in the same run.

    `say` is told each as soon as it is known. The scratch files lie in a new folder inside `folder`; they need about
    2 MB a picture. Raises NaysayerError when a picture does not come in or does not go out.
    """
    if studio:
        require(studio)
    with tempfile.TemporaryDirectory(prefix="naysayer-bench-", dir=folder) as made:
        place = Path(made)
        pictures, settings = place / "pictures", Settings(_env_file=None, data_dir=place / "data")
        for _ in _bar(make_pictures(pictures, count, PROCESSES), "drawing", count):
            pass
        files = sorted(pictures.iterdir())
        engine = open_store(settings)
        begin(engine, "builtin", "0" * 64)
        environment = own_environment(settings.data_dir)
        first_half = _decode(files[::2])  # half before and half after, as the machine's load changes
        words = ("import", "pictures", str(pictures), "--processes", str(PROCESSES))
        came = watch([*NAYSAYER, *words], environment, place)
        pillow_s = first_half + _decode(files[1::2])
        found = {
            "pictures": count,
            "file_mb": sum(file.stat().st_size for file in files) / count / 1e6,
            "import_s": came.wall_s,
            "import_per_s": count / came.wall_s,
            "import_peak_mb": came.peak_mb,
            "import_cpu_ms": 1000 * came.cpu_s / count,
            "pillow_cpu_ms": 1000 * pillow_s / count,
            "pillow_ratio": came.cpu_s / pillow_s,
        }
        say(import_words(found))
        if studio:
            found["label_studio_s"] = time_local_files(studio, pictures, count)
            found["label_studio_ratio"] = came.wall_s / found["label_studio_s"]
            say(studio_words(found))
        remove_folder(pictures)  # the export needs its room
        _vote(engine, count)
        went = watch([*NAYSAYER, "export", "data", "out"], environment, place)
        if (written := len(list((place / "out" / "train").rglob("*.png")))) != count:
            raise NaysayerError(f"{written} of {count} pictures came in and went out again; the messages are above")
    found |= {"export_s": went.wall_s, "export_per_s": count / went.wall_s, "export_peak_mb": went.peak_mb}
    say(export_words(found))
    return {name: value if isinstance(value, int) else float(f"{value:.4g}") for name, value in found.items()}


def _bar(items: Iterable[Any], words: str, total: int) -> Iterator[Any]:
    return tqdm(items, desc=words, total=total, unit=" pictures", delay=1)


def _decode(files: list[Path]) -> float:
    """Processor seconds that Pillow takes to decode them."""
    began = time.process_time()
    for file in _bar(files, "decoding with Pillow", len(files)):
        with Image.open(file) as picture:
            picture.load()
    return time.process_time() - began


def _vote(engine: Engine, count: int) -> None:
    """Rejects and keeps in turn: an export is of rated pictures. Raises NaysayerError when there are fewer."""
    terms, voted = Terms(), 0  # no picture twice
    with tqdm(desc="voting", total=count, unit=" votes", delay=1) as bar:
        while shown := next_images(engine, RATER, terms, count=AT_ONCE):
            presses = [
                Press(uuid.uuid4().hex, one.image_id, (Verdict.reject, Verdict.keep)[k % 2], "simulated")
                for k, one in enumerate(shown)
            ]
            record_votes(engine, RATER, presses, terms)
            voted += len(shown)
            bar.update(len(shown))
            if voted >= count:
                return
    raise NaysayerError(f"{voted} of {count} pictures came in; the import's messages are above")


def import_words(found: dict[str, Any]) -> str:
    """
    >>> print(import_words({"pictures": 9, "file_mb": 1, "import_per_s": 40, "import_peak_mb": 190, "import_cpu_ms": 30,
    ...     "pillow_ratio": 2, "pillow_cpu_ms": 15}))
    import of 9 pictures of 1.0 MB by 2 processes: 40.0 a second, at most 190 MB
    processor time of a picture: 30.0 ms, 2.00 times what Pillow takes to decode it (15.0 ms)
    """
    return (
        f"import of {found['pictures']:,} pictures of {found['file_mb']:.1f} MB by {PROCESSES} processes: "
        f"{found['import_per_s']:.1f} a second, at most {found['import_peak_mb']:.0f} MB\n"
        f"processor time of a picture: {found['import_cpu_ms']:.1f} ms, {found['pillow_ratio']:.2f} times what Pillow "
        f"takes to decode it ({found['pillow_cpu_ms']:.1f} ms)"
    )


def studio_words(found: dict[str, Any]) -> str:
    """
    >>> studio_words({"label_studio_s": 50, "import_s": 100, "label_studio_ratio": 2}).partition(":")[0]
    'Label Studio took the folder in 50 s, the import 100 s (2.00 times as long)'
    """
    return (
        f"Label Studio took the folder in {found['label_studio_s']:.0f} s, the import {found['import_s']:.0f} s "
        f"({found['label_studio_ratio']:.2f} times as long): it lists the files as tasks, and neither reads nor "
        "copies them; the import reads each one's text, decodes and hashes its pixels, and keeps a copy"
    )


def export_words(found: dict[str, Any]) -> str:
    """
    >>> export_words({"export_per_s": 20, "export_peak_mb": 250})
    'export: 20.0 a second, at most 250 MB'
    """
    return f"export: {found['export_per_s']:.1f} a second, at most {found['export_peak_mb']:.0f} MB"
