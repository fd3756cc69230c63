"""The lines of the exported tables. Every value is a text or a number: `datasets` reads a column's type off its first
rows, and a list that is empty there has none."""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from feedback.exchange.outgoing.chosen import Chosen, OneVote
from feedback.pool.verdicts import Outcome
from store.tables import Verdict

LABELS = {Outcome.reject: 0, Outcome.keep: 1}
FORMULA = tuple("=+-@\t\r\n＝＋－＠")
"""A cell that begins so is computed by a spreadsheet that opens the table.

Source: OWASP, CSV injection.
"""


def picture_row(one: Chosen) -> dict[str, Any]:
    """A line of `metadata.jsonl` and `metadata.csv`. `label`: 1 keep, 0 reject, none where the votes are tied."""
    counted = [vote for vote in one.votes if vote.is_current and vote.verdict is Verdict.reject]
    reasons = sorted({reason for vote in counted for reason in vote.reasons})
    return {
        "file_name": one.name,
        "caption": one.prompt,
        "label": LABELS.get(one.outcome),
        "negative_prompt": one.negative_prompt,
        "seed": one.seed,
        "steps": one.steps,
        "guidance": one.guidance,
        "width": one.width,
        "height": one.height,
        "version": one.version,
        "model": one.model,
        "votes": one.rejects + one.keeps,
        "rejects": one.rejects,
        "keeps": one.keeps,
        "decided_by": "votes" if one.ruled is None else "curator",
        "reasons": "; ".join(reasons),
        "marks": json.dumps([mark for vote in counted for mark in vote.marks]),
        "sha256": one.sha256,
        "picture": one.id,
        "origin": one.origin.value,
    }


def vote_rows(one: Chosen) -> Iterator[dict[str, Any]]:
    """The lines of `votes.jsonl` about a picture, from which `naysayer import votes` makes the same votes again."""
    return (_vote_row(one, vote) for vote in one.votes)


def _vote_row(one: Chosen, vote: OneVote) -> dict[str, Any]:
    times = {name: _text(getattr(vote, name)) for name in ("shown_at", "decided_at", "received_at")}
    return {
        "request_id": vote.request_id,
        "picture": one.id,
        "sha256": one.sha256,
        "file_name": one.name,
        "rater": vote.rater,
        "verdict": vote.verdict.value,
        "is_current": vote.is_current,
        "reasons": list(vote.reasons),
        "marks": [list(mark) for mark in vote.marks],
        "page": vote.page,
        **times,
    }


def json_line(row: dict[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=False) + "\n"


def csv_line(cells: Iterable[Any]) -> str:
    """A line of CSV in which no cell is a formula: an apostrophe goes before one that begins like it.

    >>> csv_line(["=1+1", -1, "a, b", None])
    '\\'=1+1,-1,"a, b",\\r\\n'
    """
    line = io.StringIO()
    csv.writer(line).writerow(map(harmless, cells))
    return line.getvalue()


def harmless(cell: Any) -> Any:
    """The cell as it stands in a table; `without_apostrophe` gives it back."""
    return f"'{cell}" if isinstance(cell, str) and cell.lstrip("'").startswith(FORMULA) else cell


def without_apostrophe(cell: Any) -> Any:
    """The cell as it was before an apostrophe kept a spreadsheet from computing it.

    >>> without_apostrophe("'=1+1"), without_apostrophe("'tis"), without_apostrophe(harmless("'=1+1"))
    ('=1+1', "'tis", "'=1+1")
    """
    is_marked = isinstance(cell, str) and cell.startswith("'") and cell.lstrip("'").startswith(FORMULA)
    return cell[1:] if is_marked else cell


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
