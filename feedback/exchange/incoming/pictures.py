"""Which picture of the store a line means."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import PurePath

from sqlalchemy import or_
from sqlalchemy import select as sa_select
from sqlmodel import Session, col

from feedback.exchange.incoming.said import EXPORTED, Ref
from feedback.exchange.pictures.mapping import ends_alike
from feedback.pool.counts import POOLED
from store.tables import Image, ImportedPicture, Origin

WHOLE = 64
AT_ONCE = 300
"""SQLite takes no condition of more than a thousand parts."""
UNKNOWN = "the picture is not in this store"
SEVERAL = "several pictures of this store have this content"
SAME_NAME = "several imported pictures have this file name"


class Names:
    """The imported pictures by the name of the file that they were, read once for a whole file of votes."""

    def __init__(self) -> None:
        self.by_name: dict[str, list[tuple[str, int]]] | None = None

    def find(self, session: Session, name: str) -> int | str:
        """The picture whose file's path ends with `name`, or why there is none."""
        if self.by_name is None:
            self.by_name = defaultdict(list)
            columns = sa_select(col(ImportedPicture.source), col(ImportedPicture.image_id))
            for source, image_id in session.execute(columns):
                self.by_name[PurePath(source).name].append((source, image_id))
        wanted = PurePath(name.replace("\\", "/").rsplit("?d=", 1)[-1])
        alike = [
            image_id for source, image_id in self.by_name.get(wanted.name, []) if ends_alike(PurePath(source), wanted)
        ]
        return UNKNOWN if not alike else alike[0] if len(alike) == 1 else SAME_NAME


def find_pictures(session: Session, refs: Iterable[Ref], names: Names) -> dict[Ref, int | str]:
    """The row of each picture, or why there is none.

    The content counts first, as a store's numbers mean nothing in another; the number decides between pictures of the
    same content, and counts where nothing else is said; without both, the file's name as it was imported. So does a
    name that an export gave: of an imported picture only the pixels were exported, which are another file. A control
    is a copy: it is not meant where the pool has the picture.
    """
    wanted = list(set(refs))
    rows = {row for first in range(0, len(wanted), AT_ONCE) for row in _meant(session, wanted[first : first + AT_ONCE])}
    pooled = {sha256 for _, sha256, origin in rows if origin in POOLED}
    by_content: dict[str, list[int]] = defaultdict(list)
    for row, sha256, origin in sorted(rows):
        if origin in POOLED or sha256 not in pooled:
            for known in (sha256, sha256[:12]):
                by_content[known].append(row)
    there = {row for row, *_ in rows}
    found = {ref: _row(ref, by_content[ref.sha256] if ref.sha256 else [], there) for ref in wanted}
    for ref in wanted:
        if found[ref] == UNKNOWN and ref.exported_sha256:
            found[ref] = _row(Ref(sha256=ref.exported_sha256), by_content[ref.exported_sha256], there)
        is_only_named = not ref.sha256 and ref.number is None
        if ref.name and (is_only_named or (found[ref] == UNKNOWN and EXPORTED.search(ref.name))):
            found[ref] = names.find(session, ref.name)
    return found


def _meant(session: Session, refs: Sequence[Ref]) -> list[tuple[int, str, Origin]]:
    """Row, hash and origin of every picture that one of these may mean."""
    whole = {sha256 for ref in refs for sha256 in (ref.sha256, ref.exported_sha256) if len(sha256) == WHOLE}
    begun = {ref.sha256 for ref in refs if 0 < len(ref.sha256) < WHOLE}
    numbers = {ref.number for ref in refs if ref.number is not None and not ref.sha256}
    # A hash begins with the text when it lies between it and the text with a letter behind "f".
    starts = [(col(Image.sha256) >= start) & (col(Image.sha256) < f"{start}g") for start in begun]
    is_meant = or_(col(Image.sha256).in_(whole), col(Image.id).in_(numbers), *starts)
    found = session.execute(sa_select(col(Image.id), col(Image.sha256), col(Image.origin)).where(is_meant))
    return [(row, sha256, origin) for row, sha256, origin in found]


def _row(ref: Ref, alike: list[int], there: set[int]) -> int | str:
    if not ref.sha256:
        return ref.number if ref.number is not None and ref.number in there else UNKNOWN
    if ref.number is not None and ref.number in alike:
        return ref.number
    if not alike:
        return UNKNOWN
    return alike[0] if len(alike) == 1 else SEVERAL
