"""Reads a file of votes and records them; what gives no vote is counted by its reason, the first few named."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from sqlalchemy import Engine
from tqdm import tqdm

from feedback.exchange.incoming import argilla, label_studio, pairs, tables
from feedback.exchange.incoming.files import count_rows, read_rows, votes_file
from feedback.exchange.incoming.pictures import find_pictures
from feedback.exchange.incoming.record import MALFORMED, Recorder
from feedback.exchange.incoming.said import Line, Row, Said, Source, Unread
from feedback.sample.lists.rows import Fault, file_name
from store.engine import writing
from store.errors import BadRequest
from store.phrases import plural

BATCH = 500
NAMED = 3
KINDS: list[tuple[Callable[[Row], bool], Callable[[int, Row, Source], Iterator[Line]]]] = [
    (label_studio.is_task, label_studio.read_task),
    (label_studio.is_minimal, label_studio.read_minimal),
    (argilla.is_record, argilla.read_record),
    (pairs.is_pick_a_pic, pairs.read_pick_a_pic),
    (pairs.is_hpd, pairs.read_hpd),
    (tables.is_imagenhub, tables.read_imagenhub),
    (tables.is_geneval, tables.read_geneval),
    (tables.is_vote, tables.read_vote),
]
UNREADABLE = "it cannot be read"
NO_KIND = "no kind of vote is recognised in it"
READ = (
    "votes.jsonl of an export, a table with the columns rater, sha256 or file_name, verdict; JSON of Label Studio or "
    "Argilla; pairs of Pick-a-Pic or HPD; tables of ImagenHub or GenEval"
)


@dataclass
class Report:
    """What became of a file: votes recorded and known already; and the lines that gave none, by reason."""

    recorded: int = 0
    known: int = 0
    raters: int = 0
    images: int = 0
    left: Counter[str] = field(default_factory=Counter)
    named: dict[str, list[Unread]] = field(default_factory=lambda: defaultdict(list))

    def leave(self, line: int, why: str, what: str = "") -> None:
        """Counts a line that gave no vote."""
        self.left[why] += 1
        if len(self.named[why]) < NAMED:
            self.named[why].append(Unread(line, why, what))

    @property
    def words(self) -> str:
        """What became of the file, a line for each reason that something was left out."""
        here = (
            f"; {plural(self.known, 'vote')} {'was' if self.known == 1 else 'were'} here already" if self.known else ""
        )
        first = (
            f"imported {plural(self.recorded, 'vote')} of {plural(self.raters, 'rater')} on "
            f"{plural(self.images, 'picture')}{here}"
        )
        return "\n".join([first, *(self._left_words(why, n) for why, n in self.left.most_common())])

    def _left_words(self, why: str, n: int) -> str:
        lines = [f"line {one.line}{f' ({one.what[:60]!r})' if one.what else ''}" for one in self.named[why]]
        return f"left out {n:,}: {why}: {', '.join(lines)}{', …' if n > len(lines) else ''}"


def import_votes(engine: Engine, source: Source, overlap: int, *, batch: int = BATCH) -> Report:
    """Records the votes of a file or an exported folder. The same again brings nothing new; an interrupted one goes on.

    Raises BadRequest when the file cannot be read, or no line of it is of a kind that is read.
    """
    source = source._replace(path=votes_file(source.path))
    report, recorder, rows = Report(), Recorder(overlap), 0
    with tqdm(total=count_rows(source.path), desc="importing", unit=" rows", delay=1) as bar:
        found = read_rows(source.path)
        while some := list(islice(found, batch)):
            lines = [line for number, row in some for line in read_row(number, row, source)]
            _take(engine, lines, recorder, report)
            rows += len(some)
            bar.update(len(some))
    unread = report.left[NO_KIND] + report.left[UNREADABLE]
    if unread == rows:
        first = next((one for why in (UNREADABLE, NO_KIND) for one in report.named[why]), None)
        what = f"line {first.line}: {first.why}: {first.what[:120]}" if first else "it holds no row"
        raise BadRequest(f"{file_name(source.path)}: {what}; what is read: {READ}; nothing was imported")
    report.recorded, report.known = recorder.recorded, recorder.known
    report.raters, report.images = len(recorder.raters), len(recorder.images)
    return report


def read_row(number: int, row: Row | Fault, source: Source) -> list[Line]:
    """What a row says: votes, or why it gives none."""
    if isinstance(row, Fault):
        return [Unread(number, UNREADABLE, row.why)]
    for is_kind, read in KINDS:
        if is_kind(row):
            try:
                return list(read(number, row, source))
            except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
                # Other programs' rows are trees of any shape; one that is not as its format says gives no vote.
                return [Unread(number, MALFORMED, str(error))]
    return [Unread(number, NO_KIND, ", ".join(map(str, row)))]


def _take(engine: Engine, lines: Sequence[Line], recorder: Recorder, report: Report) -> None:
    """One transaction for some lines."""
    with writing(engine) as session:
        rows = find_pictures(session, (line.picture for line in lines if isinstance(line, Said)), recorder.names)
        for line in lines:
            if isinstance(line, Unread):
                report.leave(*line)
                continue
            row = rows[line.picture]
            why = row if isinstance(row, str) else recorder.record(session, line, row)
            if why:
                report.leave(line.line, why, line.picture.name or line.picture.sha256 or str(line.picture.number or ""))
