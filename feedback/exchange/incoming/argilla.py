"""Argilla's records, as its library writes them and as they lie on the Hub, where each answer is a column."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any, NamedTuple

from feedback.exchange.incoming.said import (
    NO_VERDICT,
    Line,
    Ref,
    Row,
    Said,
    Source,
    Unread,
    moment,
    picture_of,
    reasons_in,
    verdict_of,
)
from store.tables import Verdict

ANSWERS = ".responses"


class Answer(NamedTuple):
    """One person's answer to one question."""

    who: str
    value: Any
    status: str


def is_record(row: Row) -> bool:
    return ("fields" in row and "responses" in row) or any(name.endswith(ANSWERS) for name in row)


def read_record(number: int, row: Row, source: Source) -> Iterator[Line]:
    """A vote for each person who submitted; who discarded the record skips it."""
    by_person: dict[str, list[Answer]] = defaultdict(list)
    for answer in _nested(row.get("responses")) if "fields" in row else _flat(row):
        by_person[answer.who or source.rater].append(answer)
    if not by_person:
        yield Unread(number, "nobody answered it")
    for who, answers in by_person.items():
        yield _said(number, who, _picture(row), answers, row)


def _said(number: int, who: str, picture: Ref, answers: list[Answer], row: Row) -> Line:
    statuses = {answer.status for answer in answers}
    if statuses == {"draft"}:
        return Unread(number, "it is a draft, not submitted")
    words = [word for one in answers for word in (one.value if isinstance(one.value, list) else [one.value])]
    verdict = next((found for word in words if (found := verdict_of(word))), None)
    if verdict is None and statuses == {"discarded"}:
        verdict = Verdict.skip
    if verdict is None:
        return Unread(number, NO_VERDICT, ", ".join(map(str, words)))
    reasons = (
        reasons_in(word for word in words if verdict_of(word) is None) if verdict is Verdict.reject else frozenset()
    )
    at = moment(row.get("updated_at")) or moment(row.get("inserted_at"))
    return Said(number, who or "Argilla", picture, verdict, reasons, decided_at=at, source=f"argilla {row.get('id')}")


def _nested(responses: Any) -> Iterator[Answer]:
    """{question: [{value, user_id}]}, and the older [{user_id, status, values: {question: {value}}}]."""
    if isinstance(responses, dict):
        for answers in responses.values():
            for one in answers or []:
                yield Answer(_who(one.get("user_id")), one.get("value"), one.get("status") or "submitted")
    for one in responses if isinstance(responses, list) else []:
        for value in (one.get("values") or {}).values():
            yield Answer(_who(one.get("user_id")), value.get("value"), one.get("status") or "submitted")


def _flat(row: Row) -> Iterator[Answer]:
    """The columns `question.responses`, `.responses.users` and `.responses.status`, one entry a person."""
    for name, values in row.items():
        if not name.endswith(ANSWERS) or not values:
            continue
        users, statuses = row.get(f"{name}.users") or [], row.get(f"{name}.status") or []
        for place, value in enumerate(values):
            user = users[place] if place < len(users) else ""
            yield Answer(_who(user), value, statuses[place] if place < len(statuses) else "submitted")


def _who(user: Any) -> str:
    return f"Argilla {str(user)[:8]}" if user else ""


def _picture(row: Row) -> Ref:
    known = dict(row)
    for part in ("metadata", "fields"):
        known |= inner if isinstance(inner := row.get(part), dict) else {}
    image = known.get("image")
    name = known.get("file_name") or (image.get("path") if isinstance(image, dict) else image)
    return picture_of(known.get("picture"), known.get("sha256"), name)
