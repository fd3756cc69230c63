"""What a line of somebody's file says: a vote on a picture, or nothing that can be one."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from feedback.rate.votes import FIRST_MOMENT, LAST_MOMENT, MAX_MARKS
from store.tables import Reason, Verdict

VERDICTS = {
    Verdict.reject: "reject rejected bad down thumbsdown dislike no 👎",
    Verdict.keep: "keep kept good up thumbsup like yes 👍",
    Verdict.skip: "skip skipped unsure",
    Verdict.undo: "undo",
}
BY_WORD = {word: verdict for verdict, words in VERDICTS.items() for word in words.split()}
BY_LABEL = {"0": Verdict.reject, "false": Verdict.reject, "1": Verdict.keep, "true": Verdict.keep}
REASONS = {reason.value.replace(" ", "").replace("_", ""): reason for reason in Reason}
EXPORTED = re.compile(r"(?:^|[/\\])(\d{9})-([0-9a-f]{12})\.\w+$")
SHA256 = re.compile(r"[0-9a-f]{64}")


PICTURE = ("picture", "sha256", "file_name", "image")
VERDICT = ("verdict", "label", "annotation")
TIMES = ("decided_at", "created_at", "time", "timestamp", "date")
COLUMNS = {*PICTURE, *VERDICT, *TIMES, "request_id", "rater", "reason", "reasons", "marks", "shown_at", "received_at"}
"""Our own columns, whose case does not count; others' names do, as those of models."""


class Ref(NamedTuple):
    """How a picture is named: by its row, its content's hash (or how it begins), the name of its file.

    `exported_sha256` is the hash of what was exported of it, where that may be another file.
    """

    number: int | None = None
    sha256: str = ""
    name: str = ""
    exported_sha256: str = ""


class Said(NamedTuple):
    """A vote, as a file has it; `source` tells it from others where there is no request id."""

    line: int
    rater: str
    picture: Ref
    verdict: Verdict
    reasons: frozenset[Reason] = frozenset()
    marks: tuple[tuple[float, float], ...] = ()
    shown_at: datetime | None = None
    decided_at: datetime | None = None
    received_at: datetime | None = None
    request_id: str = ""
    source: str = ""

    @property
    def at(self) -> datetime | None:
        return self.received_at or self.decided_at


class Unread(NamedTuple):
    """A line that gives no vote: why, and what it says."""

    line: int
    why: str
    what: str = ""


Line = Said | Unread
Row = dict[str, Any]


class Source(NamedTuple):
    """The file, and what is taken for granted about it: the rater where it names none, and what a preference says."""

    path: Path
    rater: str = ""
    has_preferences: bool = False


NO_RATER = "no rater is named (the option `rater` gives one)"
NO_VERDICT = "it says neither reject nor keep nor skip"
PREFERENCE = "a preference does not say that the other picture is bad (the option `preferences` takes it so)"
TIE = "a tie says of neither picture what it is"


def verdict_of(value: object) -> Verdict | None:
    """What a word says; None for one that is no verdict.

    >>> verdict_of("Thumbs down"), verdict_of("maybe")
    (<Verdict.reject: 'reject'>, None)
    """
    return BY_WORD.get(re.sub(r"[\s_-]", "", value).lower()) if isinstance(value, str) else None


def label_of(value: object) -> Verdict | None:
    """What a label says, 1 or true for a keep and 0 or false for a reject, as we export it and as KTO reads it."""
    word = str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
    return BY_LABEL.get(word.strip().lower())


def reason_of(value: object) -> Reason | None:
    return REASONS.get(re.sub(r"[\s_-]", "", value).lower()) if isinstance(value, str) else None


def reasons_in(words: Iterable[object]) -> frozenset[Reason]:
    """The reasons among some words; what is none of ours counts as `other`."""
    said = [word for word in words if isinstance(word, str) and word.strip()]
    return frozenset(reason_of(word) or Reason.other for word in said)


def marks_in(points: Iterable[Any], whole: float = 1.0) -> tuple[tuple[float, float], ...]:
    """The points that lie on the picture, as shares; `whole` is what they give for its full width."""
    found = []
    for point in points:
        try:
            x, y = (float(one) / whole for one in point)
        except (TypeError, ValueError):
            continue
        if 0 <= x <= 1 and 0 <= y <= 1:
            found.append((x, y))
    return tuple(found[:MAX_MARKS])


def moment(value: object) -> datetime | None:
    """A time in UTC; without a zone it is taken for UTC. None where it is no time."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.strip())
        except ValueError:
            return None
    if not isinstance(value, datetime):
        return None
    value = value if value.tzinfo else value.replace(tzinfo=UTC)
    return value.astimezone(UTC) if FIRST_MOMENT < value < LAST_MOMENT else None


def picture_of(number: object = None, sha256: object = None, name: object = None) -> Ref:
    """The picture that these name; a file name as exported names its row and how its hash begins.

    >>> picture_of(name="x/train/000001/000001234-c0ffeec0ffee.png")
    Ref(number=1234, sha256='c0ffeec0ffee', name='000001234-c0ffeec0ffee.png', exported_sha256='')
    """
    text = name if isinstance(name, str) else ""
    hashed = sha256.strip().lower() if isinstance(sha256, str) else ""
    row = int(number) if isinstance(number, int | str) and str(number).isdecimal() and len(str(number)) < 10 else None
    if exported := EXPORTED.search(text):
        return Ref(row or int(exported[1]), hashed or exported[2], Path(text).name)
    if not hashed and SHA256.fullmatch(Path(text).stem):
        hashed = Path(text).stem
    return Ref(row, hashed if SHA256.fullmatch(hashed) else "", text)
