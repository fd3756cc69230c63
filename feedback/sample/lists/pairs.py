"""Evaluation pairs from a file: a prompt and a seed in every row, of the right types, each pair once."""

import re
from pathlib import Path

from feedback.sample.evaluation import SEEDS
from feedback.sample.lists.rows import Fault, Row, bad_line, read_rows
from feedback.sample.prompts import prompt_of
from feedback.sample.work import Job
from store.texts import with_single_spaces

DIGITS = re.compile(r" *([0-9]{1,16}) *")


def read_pairs(path: Path, content: bytes | None = None) -> list[Job]:
    """The pairs of prompt and seed in a table or a JSON file; `content` is what it holds, where it is read already.

    Raises BadRequest, which names the line.
    """
    lines: dict[tuple[str, int], int] = {}
    pairs = []
    for row in read_rows(path, content):
        pair = Job(prompt_of(path, row), _seed_of(path, row))
        key = (with_single_spaces(pair.prompt), pair.seed)
        if key in lines:
            raise bad_line(path, Fault(row.line, f"the pair of line {lines[key]} comes again; take it out"))
        lines[key] = row.line
        pairs.append(pair)
    return pairs


def _seed_of(path: Path, row: Row) -> int:
    value = row.fields.get("seed")
    if value is None:
        raise bad_line(path, Fault(row.line, "there is no `seed`; an evaluation pair has a prompt and a seed"))
    if not row.is_typed and isinstance(value, str) and (digits := DIGITS.fullmatch(value)):
        value = int(digits[1])
    if type(value) is not int or not 0 <= value < SEEDS:
        raise bad_line(path, Fault(row.line, f"the seed {str(value)[:40]!r} is no whole number from 0 to 2^53 - 1"))
    return value
