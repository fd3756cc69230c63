"""Pairs: Pick-a-Pic's, ours among them, and HPD's. Only where a pair says that one picture is good and the other bad it
becomes a keep and a reject; that one is better says less."""

from collections.abc import Iterator
from typing import Any

from feedback.exchange.incoming.said import (
    NO_RATER,
    PREFERENCE,
    TIE,
    Line,
    Ref,
    Row,
    Said,
    Source,
    Unread,
    moment,
    picture_of,
)
from feedback.exchange.outgoing.pairs import MEANING
from store.files import sha256_of
from store.tables import Verdict


def is_pick_a_pic(row: Row) -> bool:
    return "label_0" in row and ("jpg_0" in row or "image_0_uid" in row)


def read_pick_a_pic(number: int, row: Row, source: Source) -> Iterator[Line]:
    """Pick-a-Pic's rows, and those of our own `pairs/*.parquet`."""
    user = row.get("user_id")
    rater = source.rater or (f"Pick-a-Pic {user}" if user is not None else "")
    is_said = row.get("meaning") == MEANING or source.has_preferences
    labels = [row.get("label_0"), row.get("label_1")]
    best = None if row.get("has_label") is False else _best(labels if labels[1] is not None else _both(labels[0]))
    yield from _votes(number, [_side(row, side) for side in (0, 1)], best, rater, is_said, row.get("created_at"))


def is_hpd(row: Row) -> bool:
    return "human_preference" in row or "raw_annotations" in row or {"path1", "path2"} <= set(row)


def read_hpd(number: int, row: Row, source: Source) -> Iterator[Line]:
    """HPDv2's `human_preference` of two files and its rankings, and HPDv3's `path1`, which is the better one."""
    paths = row.get("file_path") or row.get("image_path") or [row.get("path1"), row.get("path2")]
    pictures = [picture_of(name=path) for path in paths if isinstance(path, str)]
    if len(pictures) != 2:
        yield Unread(number, "a ranking says of no picture what it is")
    elif rankings := row.get("raw_annotations"):
        for one in rankings:
            rank, who = one.get("rank") or [], source.rater or f"HPD {str(one.get('user_hash', ''))[:8]}"
            best = _best([-place for place in rank[:2]])
            yield from _votes(number, pictures, best, who, source.has_preferences)
    else:
        best = _best(row.get("human_preference", [1, 0]))
        yield from _votes(number, pictures, best, source.rater, source.has_preferences)


def _votes(
    number: int, pictures: list[Ref], best: int | None, rater: str, is_said: bool, created_at: Any = None
) -> Iterator[Line]:
    if best is None:
        yield Unread(number, TIE)
    elif not is_said:
        yield Unread(number, PREFERENCE)
    elif not rater:
        yield Unread(number, NO_RATER)
    else:
        for place, picture in enumerate(pictures):
            verdict = Verdict.keep if place == best else Verdict.reject
            yield Said(number, rater, picture, verdict, decided_at=moment(created_at), source="pair")


def _best(scores: Any) -> int | None:
    """The place of the better of two; None for a tie, or for what is no score."""
    try:
        first, second = (float(one) for one in scores)
    except (TypeError, ValueError):
        return None
    return None if first == second else int(second > first)


def _both(label: Any) -> list[float]:
    return [label, 1 - label] if isinstance(label, int | float) else []


def _side(row: Row, side: int) -> Ref:
    """By its hash in the store of an export; else, and elsewhere, by that of the picture in the row."""
    picture, ref = row.get(f"jpg_{side}"), picture_of(name=row.get(f"image_{side}_uid"))
    if not isinstance(picture, bytes) or not picture:
        return ref
    return ref._replace(exported_sha256=sha256_of(picture)) if ref.sha256 else picture_of(sha256=sha256_of(picture))
