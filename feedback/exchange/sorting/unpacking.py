"""Copies flagged pictures out of a ZIP archive, with the texts beside them; nothing is overwritten."""

from collections.abc import Callable, Sequence
from pathlib import Path

from tqdm import tqdm

from feedback.exchange.pictures.sources import Archive
from feedback.exchange.sorting.moving import Moved, Target
from feedback.exchange.sorting.table import Row
from feedback.metadata.files.refused import Refused
from store.errors import BadRequest
from store.files import make_folder, write_file
from store.phrases import plural


def require_copies(target: Target) -> None:
    """Raises BadRequest where pictures are to leave an archive."""
    if target.moves:
        raise BadRequest("a ZIP archive stays as it is, so nothing can be moved out of it; use --copy")


def unpack(source: Archive, rows: Sequence[Row], target: Target, say: Callable[[str], None]) -> Moved:
    """Copies the pictures; one whose place is taken by another file, or lies outside the target, is named to `say`."""
    done, there = [], set(source.entries())
    for row in tqdm(rows, desc="copying", unit=" pictures", delay=1):
        if row.entry not in there:
            say(f"{row.entry.name} stays: it changed since it was scored; run this again")
            continue
        try:
            files = {row.entry.name: source.read(row.entry.name)}
        except Refused as refused:
            say(f"{row.entry.name} stays: {refused.why}")
            continue
        for text in source.beside(row.entry.name):
            files[str(Path(row.entry.name).with_suffix(text.place.removeprefix("sidecar")))] = text.text.encode()
        if why := _refusal(files, target):
            say(f"{row.entry.name} stays: {why}")
            continue
        for name, data in files.items():
            place = target.folder / name
            if not place.exists():
                make_folder(place.parent)
                write_file(place, data)
        done.append(row)
    left = f"; {len(rows) - len(done):,} stayed" if len(done) < len(rows) else ""
    return Moved(done, f"copied {plural(len(done), 'picture')} to {target.folder}{left}")


def _refusal(files: dict[str, bytes], target: Target) -> str:
    """Why files cannot be put into the target; empty: they can."""
    for name, data in files.items():
        place = target.folder / name
        if not place.resolve().is_relative_to(target.folder.resolve()):
            return "its name points out of the folder"
        if place.exists() and place.read_bytes() != data:
            return f"{place} is another file; move that one away, then run this again"
    return ""
