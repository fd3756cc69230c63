"""Imports the pictures of a folder or an archive; what cannot be used is said, file by file."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from typing import TypeVar

from sqlalchemy import Engine

from feedback.exchange.pictures.bases import for_reader, known_models, require_base
from feedback.exchange.pictures.mapping import Mapped, supplied
from feedback.exchange.pictures.outcome import Outcome, Report, Seen, Terms, judge, left_out, refusal
from feedback.exchange.pictures.progress import OnProgress, as_bar
from feedback.exchange.pictures.reading import Read, read_all
from feedback.exchange.pictures.recording import Taken, known_files, known_pixels, record
from feedback.exchange.pictures.sources import Entry, Source
from feedback.metadata.files.refused import Refused
from store.errors import BadRequest
from store.files import Blobs

Item = TypeVar("Item")
BATCH, WRITERS = 50, 8


def import_pictures(
    engine: Engine,
    blobs: Blobs,
    source: Source,
    terms: Terms,
    mapped: Mapped,
    processes: int,
    say: Callable[[str], None],
) -> Report:
    """Brings in what is new, with a bar: what is in stays when the call is stopped, and the next one goes on.

    `say` is told of each refused file, in one sentence.
    """
    report = Report()
    with as_bar("importing") as on_progress:
        for one in bring_in(engine, blobs, source, terms, mapped, processes, report, on_progress):
            if one.outcome is Outcome.refused:
                say(f"{one.entry.name}: {one.found.why}")
    return report


def bring_in(
    engine: Engine,
    blobs: Blobs,
    source: Source,
    terms: Terms,
    mapped: Mapped,
    processes: int,
    report: Report,
    on_progress: OnProgress,
) -> Iterator[Seen]:
    """Each picture that was read, once it is refused or its batch is in; counts them in `report`.

    Files that came in before and are unchanged are counted, and not read.
    """
    require_base(engine)
    known, total = known_models(engine), _count(source)
    reads = read_all(source, _unknown(engine, source, report), for_reader(known), processes)
    for batch in batched(reads, BATCH):
        taken = []
        for one in _mapped(batch, mapped, for_reader(known)):
            if why := refusal(one.found, terms):
                report.count(Outcome.refused, one.found.status)
                yield Seen(one.entry, replace(one.found, why=why), one.pixels_sha256, Outcome.refused)
            else:
                taken.append(one)
        for seen in _keep(engine, blobs, source, taken, known, terms):
            report.count(seen.outcome, seen.found.status)
            yield seen
        on_progress(report.total, total)


def look_at(
    engine: Engine,
    source: Source,
    said: dict[str, str],
    terms: Terms,
    mapped: Mapped,
    processes: int,
    report: Report,
    on_progress: OnProgress,
) -> Iterator[Seen]:
    """What an import would do with each picture, without one; `said` is what the user says of models now."""
    known, total, there = known_models(engine) | said, _count(source), set[str]()
    reads = read_all(source, source.entries(), for_reader(known), processes)
    for batch in batched(reads, processes):
        there |= known_pixels(engine, [one.pixels_sha256 for one in batch])
        for one in _mapped(batch, mapped, for_reader(known)):
            why, outcome = judge(one.found, known, terms)
            if outcome is not Outcome.refused:
                outcome = Outcome.known if one.pixels_sha256 in there else outcome
                there.add(one.pixels_sha256)
            report.count(outcome, one.found.status)
            yield Seen(one.entry, replace(one.found, why=why), one.pixels_sha256, outcome)
        on_progress(report.total, total)


def _mapped(reads: Iterable[Read], mapped: Mapped, known: dict[str, str]) -> Iterator[Read]:
    return (one._replace(found=supplied(one.found, mapped, one.entry.name, known)) for one in reads)


def _unknown(engine: Engine, source: Source, report: Report) -> Iterator[Entry]:
    """The files that did not come in before, unchanged since."""
    for some in batched(source.entries(), BATCH * 10):
        known = known_files(engine, {place_of(source, one): one.stamp for one in some})
        report.known += len(known)
        yield from (one for one in some if place_of(source, one) not in known)


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


def _keep(
    engine: Engine, blobs: Blobs, source: Source, reads: list[Read], known: dict[str, str], terms: Terms
) -> list[Seen]:
    """Puts the new pictures' files in place, then records them together; what became of each."""
    new = {one.pixels_sha256: one for one in reversed(reads)}  # the first of those that are alike
    for there in known_pixels(engine, list(new)):
        del new[there]

    def put(one: Read) -> Taken:
        try:
            sha256 = blobs.put(source.read(one.entry.name))
        except Refused as refused:
            raise BadRequest(f"{one.entry.name} changed meanwhile: {refused.why}; run it again") from refused
        return Taken(one, place_of(source, one.entry), sha256, left_out(one.found, known, terms))

    with ThreadPoolExecutor(WRITERS) as writers:  # each write waits for the disk
        taken = list(writers.map(put, [one for one in reads if new.get(one.pixels_sha256) is one]))
    made = record(engine, taken)
    came = {one.read.entry: one.left_out for one in taken if one.read.pixels_sha256 in made}
    return [_kept(one, came.get(one.entry)) for one in reads]


def _kept(one: Read, why: str | None) -> Seen:
    """A picture that came in, with why training leaves it out; None: it was here already."""
    outcome = Outcome.known if why is None else Outcome.rated_only if why else Outcome.new
    return Seen(one.entry, replace(one.found, why=why or ""), one.pixels_sha256, outcome)


def default_processes(cores: int | None) -> int:
    """One process a core, at most eight."""
    return max(1, min(cores or 1, 8))
