"""Pairs of a kept and a rejected picture of one prompt, as Parquet with Pick-a-Pic's columns.

Source: the columns of yuvalkirstain/pickapic_v2, which diffusers' and Salesforce's scripts for Diffusion-DPO read. A
tie is no pair. Each picture is in one pair at most, with another of the same size: the scripts crop both to that size.
"""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import Engine, case
from sqlalchemy import select as sa_select
from sqlmodel import Session, col

from feedback.exchange.outgoing.chosen import BOTH, Wanted, bytes_of, select_chosen
from feedback.pool.browse.gallery import Which, part
from store.engine import reading
from store.files import Blobs
from store.tables import Image, Origin, Prompt

MEANING = "a keep and a reject"
"""What our pairs say, and others do not: that the worse picture of the two was rejected."""
PROMPTS = 200
GROUP_BYTES, FILE_BYTES = 16 << 20, 500 << 20
TYPES: dict[str, Any] = {
    "are_different": pa.bool_(),
    "best_image_uid": pa.string(),
    "caption": pa.string(),
    "created_at": pa.timestamp("us", tz="UTC"),
    "has_label": pa.bool_(),
    "image_0_uid": pa.string(),
    "image_0_url": pa.string(),
    "image_1_uid": pa.string(),
    "image_1_url": pa.string(),
    "jpg_0": pa.binary(),
    "jpg_1": pa.binary(),
    "label_0": pa.float64(),
    "label_1": pa.float64(),
    "model_0": pa.string(),
    "model_1": pa.string(),
    "ranking_id": pa.int64(),
    "user_id": pa.int64(),
    "num_example_per_prompt": pa.int64(),
    "meaning": pa.string(),
}
Size = tuple[int, int, int]
"""A prompt's row, width and height."""
SCHEMA = pa.schema(list(TYPES.items()))


class Side(NamedTuple):
    """A picture of a pair."""

    sha256: str
    origin: Origin
    version: int
    created_at: Any

    def read(self, blobs: Blobs) -> bytes | None:
        """Its picture, None where the file is lost or altered."""
        return bytes_of(blobs, self.sha256, self.origin)


class Pair(NamedTuple):
    """A kept and a rejected picture, and how many pairs their prompt has."""

    prompt: str
    keep: Side
    reject: Side
    of_prompt: int


def pair_files(engine: Engine, blobs: Blobs, wanted: Wanted, folder: Path) -> Iterator[tuple[Path, int]]:
    """Writes the pairs into `folder`, a file of at most about half a gigabyte after another: each, and its pairs.

    A pair with a lost or altered picture is left out.
    """
    rows, ranking, files = _Rows(folder), 0, 0
    for pair in _pairs(engine, wanted):
        keep, reject = pair.keep.read(blobs), pair.reject.read(blobs)
        if keep is None or reject is None:
            continue
        rows.add(_row(pair, keep, reject, ranking), f"pairs-{files:05d}.parquet")
        ranking += 1
        if rows.written >= FILE_BYTES:
            yield rows.close()
            files += 1
    if rows.path is not None:
        yield rows.close()


class _Rows:
    """The rows of the file that is being written; no more than GROUP_BYTES of pictures wait in memory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.writer: pq.ParquetWriter | None = None
        self.waiting: list[dict[str, Any]] = []
        self.held = self.written = self.pairs = 0
        self.path: Path | None = None

    def add(self, row: dict[str, Any], name: str) -> None:
        if self.writer is None:
            self.path = self.folder / name
            self.writer = pq.ParquetWriter(self.path, SCHEMA)
        self.waiting.append(row)
        self.held += len(row["jpg_0"]) + len(row["jpg_1"])
        if self.held >= GROUP_BYTES:
            self._flush()

    def _flush(self) -> None:
        assert self.writer is not None
        self.writer.write_table(pa.Table.from_pylist(self.waiting, SCHEMA))
        self.pairs += len(self.waiting)
        self.written += self.held
        self.held, self.waiting = 0, []

    def close(self) -> tuple[Path, int]:
        """The finished file, and its pairs."""
        if self.waiting:
            self._flush()
        assert self.writer is not None and self.path is not None
        self.writer.close()
        done = self.path, self.pairs
        self.writer = self.path = None
        self.written = self.pairs = 0
        return done


def _row(pair: Pair, keep: bytes, reject: bytes, ranking: int) -> dict[str, Any]:
    """The kept picture comes first in every other pair, so that no place means anything."""
    sides, pictures = (pair.keep, pair.reject), (keep, reject)
    if ranking % 2:
        sides, pictures = sides[::-1], pictures[::-1]
    label = 1.0 - ranking % 2
    return {
        "are_different": True,
        "best_image_uid": pair.keep.sha256,
        "caption": pair.prompt,
        "created_at": max(side.created_at for side in sides),
        "has_label": True,
        "image_0_uid": sides[0].sha256,
        "image_0_url": "",
        "image_1_uid": sides[1].sha256,
        "image_1_url": "",
        "jpg_0": pictures[0],
        "jpg_1": pictures[1],
        "label_0": label,
        "label_1": 1.0 - label,
        "model_0": f"v{sides[0].version}",
        "model_1": f"v{sides[1].version}",
        "ranking_id": ranking,
        "user_id": None,
        "num_example_per_prompt": pair.of_prompt,
        "meaning": MEANING,
    }


def _pairs(engine: Engine, wanted: Wanted) -> Iterator[Pair]:
    last = 0
    while set(BOTH) <= set(wanted.parts):
        with reading(engine) as session:
            prompts = _next_prompts(session, wanted, last)
            alike = _by_prompt_and_size(session, wanted, list(prompts))
        if not prompts:
            return
        of_prompt: dict[int, int] = defaultdict(int)
        for (prompt, *_), sides in alike.items():
            of_prompt[prompt] += min(map(len, sides))
        for (prompt, *_), (rejects, keeps) in sorted(alike.items()):
            for reject, keep in zip(rejects, keeps, strict=False):
                yield Pair(prompts[prompt], keep, reject, of_prompt[prompt])
        last = max(prompts)


def _next_prompts(session: Session, wanted: Wanted, last: int) -> dict[int, str]:
    """The next prompts with a rejected and a kept picture."""
    rows = sa_select(col(Prompt.id), col(Prompt.text)).where(col(Prompt.id) > last)
    for which in BOTH:
        rows = rows.where(col(Prompt.id).in_(select_chosen(session, wanted, sa_select(col(Image.prompt_id)), [which])))
    return {number: text for number, text in session.execute(rows.order_by(col(Prompt.id)).limit(PROMPTS))}


def _by_prompt_and_size(session: Session, wanted: Wanted, prompts: list[int]) -> dict[Size, tuple[list[Side], ...]]:
    """Rejects and keeps, oldest first."""
    size = (col(Image.prompt_id), col(Image.width), col(Image.height))
    side = (col(Image.sha256), col(Image.origin), col(Image.version), col(Image.created_at))
    rows = select_chosen(session, wanted, sa_select(*size, case((part(Which.keeps), 1), else_=0), *side), BOTH)
    found: dict[Size, tuple[list[Side], ...]] = defaultdict(lambda: ([], []))
    for prompt, width, height, is_kept, *what in session.execute(
        rows.where(col(Image.prompt_id).in_(prompts)).order_by(col(Image.id))
    ):
        found[prompt, width, height][is_kept].append(Side(*what))
    return found
