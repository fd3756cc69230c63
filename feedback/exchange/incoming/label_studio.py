"""What Label Studio exports: JSON with every annotation, and JSON-MIN with its values only."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from feedback.exchange.incoming.said import (
    NO_RATER,
    NO_VERDICT,
    Line,
    Ref,
    Row,
    Said,
    Source,
    Unread,
    marks_in,
    moment,
    picture_of,
    reasons_in,
    verdict_of,
)
from store.tables import Verdict

PERCENT = 100
OWN = {"id", "annotator", "annotation_id", "created_at", "updated_at", "lead_time", "image", "caption", "sha256"}
OWN |= {"picture", "prompt", "completed_by", "agreement", "file_name"}


def is_task(row: Row) -> bool:
    return isinstance(row.get("data"), dict) and ("annotations" in row or "completions" in row)


def read_task(number: int, row: Row, source: Source) -> Iterator[Line]:
    """A vote for each annotation; a cancelled one is a skip."""
    picture = _picture(row["data"])
    annotations = row.get("annotations", row.get("completions")) or []
    if not annotations:
        yield Unread(number, "nobody annotated it")
    for one in annotations if isinstance(annotations, list) else []:
        results = [result for result in one.get("result") or [] if isinstance(result, dict)]
        words, points, raters = _results(results)
        who = next(iter(raters), "") or _who(one.get("completed_by")) or source.rater
        was_cancelled = bool(one.get("was_cancelled", one.get("skipped")))
        yield _said(number, who, picture, ["skip"] if was_cancelled else words, points, one)


def is_minimal(row: Row) -> bool:
    return "annotation_id" in row and "annotator" in row


def read_minimal(number: int, row: Row, source: Source) -> Iterator[Line]:
    """Values under the names that the labelling interface gave them: words say verdict and reasons."""
    words: list[str] = []
    points: list[Any] = []
    for value in (value for name, value in row.items() if name not in OWN):
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, dict):
                words += one.get("choices") or []
                points += [(one.get("x"), one.get("y"))]
            else:
                words.append(one)
    yield _said(number, _who(row["annotator"]) or source.rater, _picture(row), words, points, row)


def _results(results: list[dict[str, Any]]) -> tuple[list[str], list[Any], list[str]]:
    """The words that were chosen, the points, and the raters that our own export names."""
    values = [result["value"] for result in results if isinstance(result.get("value"), dict)]
    words = [word for value in values for word in value.get("choices") or []]
    points = [(value.get("x"), value.get("y")) for value in values if "keypointlabels" in value]
    metas = [meta for result in results if isinstance(meta := result.get("meta"), dict)]
    return words, points, [name for meta in metas for name in meta.get("text") or [] if isinstance(name, str)]


def _said(number: int, who: str, picture: Ref, words: list[str], points: list[Any], one: Row) -> Line:
    verdict = next((found for word in words if (found := verdict_of(word))), None)
    if verdict is None:
        return Unread(number, NO_VERDICT, ", ".join(map(str, words)))
    if not who:
        return Unread(number, NO_RATER)
    decided = moment(one.get("updated_at")) or moment(one.get("created_at"))
    reasons = (
        reasons_in(word for word in words if verdict_of(word) is None) if verdict is Verdict.reject else frozenset()
    )
    known = str(one.get("unique_id") or "")
    return Said(
        number,
        who,
        picture,
        verdict,
        reasons,
        marks_in(points, PERCENT),
        _before(decided, one.get("lead_time")),
        decided,
        request_id=known if len(known) <= 64 and known.isascii() and known.isprintable() else "",
        source=f"label studio {one.get('annotation_id', one.get('id', ''))}",
    )


def _picture(data: Row) -> Ref:
    return picture_of(data.get("picture"), data.get("sha256"), data.get("image") or data.get("file_name"))


def _who(person: Any) -> str:
    if isinstance(person, dict):
        person = person.get("email") or person.get("id")
    return f"Label Studio {person}" if isinstance(person, int) else str(person or "")


def _before(decided: datetime | None, seconds: Any) -> datetime | None:
    is_known = decided is not None and isinstance(seconds, int | float) and 0 <= seconds < 86_400
    return decided - timedelta(seconds=seconds) if is_known and decided else None
