"""Imports the pictures of a folder or an archive; what cannot be used is said, file by file."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TypeVar

from sqlalchemy import Engine

from feedback.exchange.pictures.bases import for_reader, known_models, remember, require_base
from feedback.exchange.pictures.mapping import Mapped, supplied
from feedback.exchange.pictures.outcome import Outcome, Report, Seen, Terms, judge, left_out, refusal
from feedback.exchange.pictures.progress import OnProgress, as_bar
from feedback.exchange.pictures.reading import Read, read_all
from feedback.exchange.pictures.recording import Taken, known_files, known_pixels, record
from feedback.exchange.pictures.sources import Entry, Source
from feedback.exchange.pictures.unknown import Unknown
from feedback.metadata.files.refused import Refused
from store.errors import BadRequest
from store.files import Blobs

Item = TypeVar("Item")
BATCH, WRITERS = 50, 8


@dataclass(frozen=True)
class Import:
    """What is looked at or brought in: a source, what a list says of its files, and what the user says of models now.

    `processes` read the files.
    """

    engine: Engine
    source: Source
    terms: Terms
    mapped: Mapped = field(default_factory=Mapped)
    models: Mapping[str, str] = field(default_factory=dict)
    processes: int = 1

    def read(self, entries: Iterable[Entry], known: Mapping[str, str], at_once: int) -> Iterator[list[Read]]:
        """The pictures in lists of `at_once`, with what the list says of them."""
        bases = for_reader(known)
        for batch in batched(read_all(self.source, entries, bases, self.processes), at_once):
            yield [one._replace(found=supplied(one.found, self.mapped, one.entry.name, bases)) for one in batch]


def import_pictures(order: Import, blobs: Blobs, say: Callable[[str], None]) -> Report:
    """Brings in what is new, with a bar: what is in stays when the call is stopped, and the next one goes on.

    `say` is told of each refused file, in one sentence, and at the end of models whose base is not known.
    """
    report, nameless = Report(), Unknown()
    with as_bar("importing") as on_progress:
        for one in bring_in(order, blobs, report, on_progress):
            nameless.count(one)
            if one.outcome is Outcome.refused:
                say(f"{one.entry.name}: {one.found.why}")
    if advice := nameless.advice(order.source.path):
        say(advice)
    return report


def bring_in(order: Import, blobs: Blobs, report: Report, on_progress: OnProgress) -> Iterator[Seen]:
    """Each picture that was read, once it is refused or its batch is in; counts them in `report`.

    Files that came in before and are unchanged are counted, and not read. What is said of models is remembered.
    """
    require_base(order.engine)
    remember(order.engine, order.models)
    known, total = known_models(order.engine), _count(order.source)
    for batch in order.read(_unknown(order, report), known, BATCH):
        taken = []
        for one in batch:
            if why := refusal(one.found, order.terms):
                report.count(Outcome.refused, one.found.status)
                yield Seen(one.entry, replace(one.found, why=why), one.pixels_sha256, Outcome.refused)
            else:
                taken.append(one)
        for seen in _keep(order, blobs, taken, known):
            report.count(seen.outcome, seen.found.status)
            yield seen
        on_progress(report.total, total)


def look_at(order: Import, report: Report, on_progress: OnProgress) -> Iterator[Seen]:
    """What an import would do with each picture, without one."""
    known, total = known_models(order.engine) | dict(order.models), _count(order.source)
    first: dict[str, str] = {}
    for batch in order.read(order.source.entries(), known, order.processes):
        there = known_pixels(order.engine, [one.pixels_sha256 for one in batch])
        for one in batch:
            why, outcome = judge(one.found, known, order.terms)
            if outcome is not Outcome.refused:
                name = first.setdefault(one.pixels_sha256, one.entry.name)
                if one.pixels_sha256 in there:
                    outcome = Outcome.known
                elif name != one.entry.name:
                    why, outcome = f"it is the same picture as {name} in this folder", Outcome.known
            report.count(outcome, one.found.status)
            yield Seen(one.entry, replace(one.found, why=why), one.pixels_sha256, outcome)
        on_progress(report.total, total)


def _unknown(order: Import, report: Report) -> Iterator[Entry]:
    """The files that did not come in before, unchanged since."""
    for some in batched(order.source.entries(), BATCH * 10):
        known = known_files(order.engine, {place_of(order.source, one): one.stamp for one in some})
        report.known += len(known)
        yield from (one for one in some if place_of(order.source, one) not in known)


def place_of(source: Source, entry: Entry) -> str:
    """Where a picture came from, as it is recorded."""
    return f"{source.root}/{entry.name}"


def batched(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """The items in lists of at most `size`."""
    rest = iter(items)
    while some := list(islice(rest, size)):
        yield some


def _count(source: Source) -> int:
    return sum(1 for _ in source.entries())


def _keep(order: Import, blobs: Blobs, reads: list[Read], known: dict[str, str]) -> list[Seen]:
    """Puts the new pictures' files in place, then records them together; what became of each."""
    new = {one.pixels_sha256: one for one in reversed(reads)}  # the first of those that are alike
    for there in known_pixels(order.engine, list(new)):
        del new[there]

    def put(one: Read) -> Taken:
        try:
            sha256 = blobs.put(order.source.read(one.entry.name))
        except Refused as refused:
            raise BadRequest(f"{one.entry.name} changed meanwhile: {refused.why}; run it again") from refused
        return Taken(one, place_of(order.source, one.entry), sha256, left_out(one.found, known, order.terms))

    with ThreadPoolExecutor(WRITERS) as writers:  # each write waits for the disk
        taken = list(writers.map(put, [one for one in reads if new.get(one.pixels_sha256) is one]))
    made = record(order.engine, taken)
    came = {one.read.entry: one.left_out for one in taken if one.read.pixels_sha256 in made}
    return [_kept(one, came.get(one.entry)) for one in reads]


def _kept(one: Read, why: str | None) -> Seen:
    """A picture that came in, with why training leaves it out; None: it was here already."""
    outcome = Outcome.known if why is None else Outcome.rated_only if why else Outcome.new
    return Seen(one.entry, replace(one.found, why=why or ""), one.pixels_sha256, outcome)


def default_processes(cores: int | None) -> int:
    """One process a core, at most eight."""
    return max(1, min(cores or 1, 8))
