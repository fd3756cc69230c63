"""The table of a sorted folder, from worst to best, and where it is cut."""

import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from feedback.check.version_check import VersionCheck
from feedback.exchange.outgoing.rows import csv_line, json_line
from feedback.exchange.pictures.sources import Entry
from feedback.exchange.sorting.held_out import HeldOut
from store.errors import BadRequest

COLUMNS = ("file", "score", "kept_worse", "rejected_worse", "flagged", "why")


class Row(NamedTuple):
    """A picture, its score and the prompt that it has it under; without a score, `why` says why."""

    entry: Entry
    pixels_sha256: str
    score: float | None
    why: str = ""
    prompt: str = ""


class Cut(NamedTuple):
    """Where a cut is asked for: at a score, or below the worst share (0 to 1) of the folder; neither: the version's."""

    score: float | None = None
    share: float | None = None


OWN = Cut()


def parse_cut(word: str | None) -> Cut:
    """A score, or a share as `20%`. Raises BadRequest.

    >>> parse_cut("20%"), parse_cut("-0.01"), parse_cut(None)
    (Cut(score=None, share=0.2), Cut(score=-0.01, share=None), Cut(score=None, share=None))
    """
    if word is None:
        return OWN
    text = word.strip()
    try:
        value = float(text.removesuffix("%"))
    except ValueError:
        value = math.nan
    is_share = text.endswith("%")
    if not math.isfinite(value) or (is_share and not 0 <= value <= 100):
        raise BadRequest(f"--cut {word[:40]!r} is neither a share of the folder, as 20%, nor a score, as 0.012")
    return Cut(share=value / 100) if is_share else Cut(score=value)


def sort_rows(rows: Iterable[Row]) -> list[Row]:
    """From worst to best, then those without a score; by name where they are equal."""
    return sorted(rows, key=lambda row: (row.score is None, -(row.score or 0.0), row.entry.name))


def place_cut(asked: Cut, check: VersionCheck, rows: Sequence[Row]) -> float:
    """The score above which pictures are flagged. Raises BadRequest for a version without a cut.

    `rows` are sorted. Of pictures with equal scores at a share's edge, none is flagged.
    """
    if asked.score is not None:
        return asked.score
    scores = [row.score for row in rows if row.score is not None]
    if asked.share is not None and scores:
        wanted = round(asked.share * len(scores))
        return scores[wanted] if wanted < len(scores) else math.nextafter(scores[-1], -math.inf)
    if check.cut is None:
        raise BadRequest("the champion's check has no cut; give one, as --cut 20%")
    return check.cut


def is_flagged(row: Row, cut: float) -> bool:
    """Whether a picture scores worse than the cut; never without a score."""
    return row.score is not None and row.score > cut


def doubtful(rows: Sequence[Row], cut: float) -> list[Row]:
    """Those with a score, the nearest to the cut first."""
    scored = [(abs(row.score - cut), row) for row in rows if row.score is not None]
    return [row for _, row in sorted(scored, key=lambda one: (one[0], one[1].entry.name))]


def header_line() -> str:
    """The first line of the CSV table."""
    return csv_line(COLUMNS)


def table_line(row: Row, cut: float, held_out: HeldOut, *, as_json: bool) -> str:
    """A picture's line of the table: CSV, or a JSON object."""
    values: dict[str, Any] = dict.fromkeys(COLUMNS)
    if row.score is not None:
        kept, rejected = held_out.worse(row.score)
        values |= {"score": row.score, "kept_worse": kept.value, "rejected_worse": rejected.value}
    values |= {"file": row.entry.name, "flagged": is_flagged(row, cut), "why": row.why}
    return json_line(values) if as_json else csv_line(values.values())
