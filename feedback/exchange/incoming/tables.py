"""A vote a row: our own lines and tables; and the tables of ImagenHub and GenEval."""

import json
import re
from collections.abc import Iterator
from typing import Any

from feedback.exchange.incoming.said import (
    NO_RATER,
    NO_VERDICT,
    PICTURE,
    TIMES,
    VERDICT,
    Line,
    Row,
    Said,
    Source,
    Unread,
    label_of,
    marks_in,
    moment,
    picture_of,
    reasons_in,
    verdict_of,
)
from feedback.exchange.outgoing.rows import without_apostrophe
from store.tables import Reason, Verdict

IMAGENHUB = re.compile(r"\[\s*[\d.]+\s*,\s*[\d.]+\s*\]")
GOOD = 3
"""GenEval's raters gave 1 to 4 for quality; up to here it is a reject, as in `naysayer bench ratings`."""


def is_vote(row: Row) -> bool:
    """A picture, and a verdict under `verdict`, `label` or (Intel's table) `annotation`."""
    return any(name in row for name in PICTURE) and any(name in row for name in VERDICT)


def read_vote(number: int, row: Row, source: Source) -> Iterator[Line]:
    """Our own `votes.jsonl`, and tables with columns of the same names."""
    said = row.get("verdict")
    verdict = label_of(row.get("label", row.get("annotation"))) if said in (None, "") else verdict_of(said)
    if verdict is None:
        yield Unread(number, NO_VERDICT, str(said if said not in (None, "") else row.get("label", "")))
        return
    rater = str(row.get("rater") or source.rater)
    if not rater:
        yield Unread(number, NO_RATER)
        return
    yield Said(
        number,
        without_apostrophe(rater),
        picture_of(row.get("picture"), row.get("sha256"), row.get("file_name") or row.get("image")),
        verdict,
        reasons_in(_words(row.get("reasons") or row.get("reason"))),
        marks_in(_points(row.get("marks"))),
        moment(row.get("shown_at")),
        next((found for name in TIMES if (found := moment(row.get(name)))), None),
        moment(row.get("received_at")),
        str(row.get("request_id") or ""),
    )


def is_imagenhub(row: Row) -> bool:
    """A picture's name under `uid`, and [semantic consistency, perceptual quality] of each model."""
    return "uid" in row and any(isinstance(cell, str) and IMAGENHUB.fullmatch(cell) for cell in row.values())


def read_imagenhub(number: int, row: Row, source: Source) -> Iterator[Line]:
    """A vote on each model's picture: below 1 (of 0, 0.5, 1) in either is a reject. The file's name names the rater."""
    named = re.search(r"rater\W*\d+", source.path.stem)
    rater = source.rater or (f"ImagenHub {named[0]}" if named else "")
    for model, cell in row.items():
        if model == "uid":
            continue
        if not rater:
            yield Unread(number, NO_RATER, model)
        elif not isinstance(cell, str) or not IMAGENHUB.fullmatch(cell):
            yield Unread(number, NO_VERDICT, f"{model}: {cell}")
        else:
            semantic, perceptual = json.loads(cell)
            reasons = {Reason.prompt_not_followed} if semantic < 1 else set()
            reasons |= {Reason.artefact} if perceptual < 1 else set()
            verdict = Verdict.reject if reasons else Verdict.keep
            picture = picture_of(name=f"{model}/{row['uid']}")
            yield Said(number, rater, picture, verdict, frozenset(reasons), source="imagenhub")


def is_geneval(row: Row) -> bool:
    return "Input.image_url" in row and "Answer.task-quality" in row


def read_geneval(number: int, row: Row, source: Source) -> Iterator[Line]:
    """Its five raters a picture have no names, so each row needs the one that is given with the file."""
    quality = str(row["Answer.task-quality"]).strip()
    if not source.rater:
        yield Unread(number, NO_RATER)
    elif quality not in ("1", "2", "3", "4"):
        yield Unread(number, NO_VERDICT, quality)
    else:
        verdict = Verdict.reject if int(quality) <= GOOD else Verdict.keep
        yield Said(number, source.rater, picture_of(name=row["Input.image_url"]), verdict, source=f"geneval {number}")


def _words(cell: Any) -> list[Any]:
    return re.split(r"[;,|]", cell) if isinstance(cell, str) else list(cell or [])


def _points(cell: Any) -> list[Any]:
    if isinstance(cell, str):
        try:
            cell = json.loads(cell or "[]")
        except (ValueError, RecursionError):
            return []
    return cell if isinstance(cell, list) else []
