"""What Label Studio exports: JSON with every annotation, and JSON-MIN with its values only."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple

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
        words, points = _results(results)
        if one.get("was_cancelled", one.get("skipped")):
            words = ["skip"]
        who = _who(one.get("completed_by")) or source.rater
        own = _own_vote(results, words)
        yield _said(
            number, own.rater or who, picture, words, points, one, own.request_id or str(one.get("unique_id") or "")
        )


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


class _Own(NamedTuple):
    """The vote of our own export that an annotation was made from."""

    rater: str = ""
    request_id: str = ""


def _own_vote(results: list[dict[str, Any]], words: list[str]) -> _Own:
    """Empty where it comes from somebody else, or was changed in Label Studio since: then it is another vote."""
    metas = [meta.get("text") for result in results if isinstance(meta := result.get("meta"), dict)]
    found = next((text for text in metas if isinstance(text, list) and len(text) == 3), None)
    return _Own(str(found[0]), str(found[1])) if found and found[2] in words else _Own()


def _results(results: list[dict[str, Any]]) -> tuple[list[str], list[Any]]:
    """The words that were chosen, and the points."""
    values = [result["value"] for result in results if isinstance(result.get("value"), dict)]
    points = [(value.get("x"), value.get("y")) for value in values if "keypointlabels" in value]
    return [word for value in values for word in value.get("choices") or []], points


def _said(
    number: int, who: str, picture: Ref, words: list[str], points: list[Any], one: Row, request_id: str = ""
) -> Line:
    verdict = next((found for word in words if (found := verdict_of(word))), None)
    if verdict is None:
        return Unread(number, NO_VERDICT, ", ".join(map(str, words)))
    if not who:
        return Unread(number, NO_RATER)
    decided = moment(one.get("updated_at")) or moment(one.get("created_at"))
    reasons = (
        reasons_in(word for word in words if verdict_of(word) is None) if verdict is Verdict.reject else frozenset()
    )
    return Said(
        number,
        who,
        picture,
        verdict,
        reasons,
        marks_in(points, PERCENT),
        _before(decided, one.get("lead_time")),
        decided,
        request_id=request_id if len(request_id) <= 64 and request_id.isascii() and request_id.isprintable() else "",
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
