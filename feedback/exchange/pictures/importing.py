"""Imports the pictures of a folder or an archive; what cannot be used is said, file by file."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import NamedTuple, TypeVar

from sqlalchemy import Engine
from tqdm import tqdm

from feedback.exchange.pictures.bases import for_reader, is_ours, known_models, require_base
from feedback.exchange.pictures.mapping import Mapped, supplied
from feedback.exchange.pictures.reading import Read, read_all
from feedback.exchange.pictures.recording import Taken, known_files, known_pixels, record
from feedback.exchange.pictures.sources import Entry, Source
from feedback.metadata.files.refused import Refused
from feedback.metadata.found import SDXL, UNKNOWN, Found, Status
from feedback.sample.prompts import clean_prompt
from store.errors import BadRequest
from store.files import Blobs

Item = TypeVar("Item")
BATCH, WRITERS = 50, 8
TAKEN = (Status.ok, Status.partial)
WORDS = {
    Status.empty: "without a prompt",
    Status.unrecognised: "with metadata that cannot be read",
    Status.not_sdxl: "of another base than SDXL",
    Status.grid: "grids",
    Status.broken: "damaged or no pictures",
}


class Terms(NamedTuple):
    """What decides whether training takes a picture: the store's size, and whether other SDXL checkpoints pass.

    No size: the store has drawn nothing yet, and every size passes.
    """

    size: tuple[int, int] | None
    other_bases: bool = False


@dataclass
class Report:
    """How many pictures came in, and what became of the others."""

    new: int = 0
    left_out: int = 0
    known: int = 0
    refused: Counter[Status] = field(default_factory=Counter)

    @property
    def words(self) -> str:
        """The summary, one line for each that is not zero."""
        rows = [(self.new, f"new, of which {self.left_out:,} are rated and not trained on")]
        rows += [(self.known, "here already")]
        rows += [(self.refused[status], f"refused: {words}") for status, words in WORDS.items()]
        return "\n".join(f"{count:>9,}  {words}" for count, words in rows if count) or "no picture was found"


def import_pictures(
    engine: Engine,
    blobs: Blobs,
    source: Source,
    terms: Terms,
    mapped: Mapped,
    processes: int,
    say: Callable[[str], None],
) -> Report:
    """Brings in what is new, in batches: what is in stays when the call is stopped, and the next one goes on.

    `say` is told of each refused file, in one sentence.
    """
    require_base(engine)
    known, report = known_models(engine), Report()
    root = str(source.path.resolve())
    reads = read_all(source, _unknown(engine, source, root, report), for_reader(known), processes)
    with tqdm(total=_count(source), desc="importing", unit=" pictures", delay=1) as bar:
        for batch in batched(reads, BATCH):
            taken = []
            for one in _mapped(batch, mapped, for_reader(known)):
                if why := _refusal(one.found):
                    report.refused[one.found.status] += 1
                    say(f"{one.entry.name}: {why}")
                else:
                    taken.append(one)
            _keep(engine, blobs, source, root, taken, known, terms, report)
            bar.update(len(batch))
            bar.n = max(bar.n, report.known + report.new + report.refused.total())
    return report


def look_at(
    source: Source, known: dict[str, str], terms: Terms, mapped: Mapped, processes: int
) -> Iterator[tuple[Entry, Found]]:
    """What an import would find, without one; `why` says too what keeps a picture out of training."""
    reads = read_all(source, source.entries(), for_reader(known), processes)
    with tqdm(total=_count(source), desc="reading", unit=" pictures", delay=1) as bar:
        for one in _mapped(reads, mapped, for_reader(known)):
            bar.update()
            why = _refusal(one.found) or left_out(one.found, known, terms)
            yield one.entry, replace(one.found, why=why)


def as_json(entry: Entry, found: Found) -> str:
    """One line of `--dry-run --json`."""
    fields = ("status", "prompt", "negative_prompt", "seed", "tool", "base", "why")
    rest = ("model", "model_hash", "steps", "sampler", "guidance_scale", "width", "height", "prompt_2")
    shown = {name: getattr(found, name) for name in (*fields, *rest)}
    loras = [{"name": lora.name, "strength": lora.strength} for lora in found.loras]
    return json.dumps({"file": entry.name, **shown, "loras": loras, "marks": list(found.marks)}, ensure_ascii=True)


def left_out(found: Found, known: dict[str, str], terms: Terms) -> str:
    """Why training leaves a picture out by default; empty: it takes it."""
    if found.marks:
        return found.why
    if found.base == UNKNOWN:
        name = found.model or "a model that is not named"
        return f"which base {name} is of is not known; say it with --model '{found.model_hash or name}=sdxl'"
    if found.base == SDXL and not is_ours(found, known) and not terms.other_bases:
        return f"it was drawn by another SDXL checkpoint ({found.model or 'not named'}) than this store's base"
    if terms.size not in (None, (found.width, found.height)):
        return f"it is {found.width}×{found.height}; this store draws and trains at {terms.size[0]}×{terms.size[1]}"
    return ""


def _refusal(found: Found) -> str:
    """Why a picture does not come in; empty: it does."""
    if found.status not in TAKEN:
        return found.why
    try:
        clean_prompt(found.prompt or "")
    except BadRequest as error:
        return str(error)
    return ""


def _mapped(reads: Iterable[Read], mapped: Mapped, known: dict[str, str]) -> Iterator[Read]:
    return (one._replace(found=supplied(one.found, mapped, one.entry.name, known)) for one in reads)


def _unknown(engine: Engine, source: Source, root: str, report: Report) -> Iterator[Entry]:
    """The files that did not come in before, unchanged since."""
    for some in batched(source.entries(), BATCH * 10):
        known = known_files(engine, {f"{root}/{one.name}": one.stamp for one in some})
        report.known += len(known)
        yield from (one for one in some if f"{root}/{one.name}" not in known)


def batched(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """The items in lists of at most `size`."""
    rest = iter(items)
    while some := list(islice(rest, size)):
        yield some


def _count(source: Source) -> int:
    return sum(1 for _ in source.entries())


def _keep(
    engine: Engine,
    blobs: Blobs,
    source: Source,
    root: str,
    reads: list[Read],
    known: dict[str, str],
    terms: Terms,
    report: Report,
) -> None:
    """Puts the new pictures' files in place, then records them together."""
    there = known_pixels(engine, [one.pixels_sha256 for one in reads])
    new = []
    for one in reads:
        if one.pixels_sha256 not in there:
            there.add(one.pixels_sha256)
            new.append(one)
    report.known += len(reads) - len(new)

    def put(one: Read) -> Taken:
        try:
            sha256 = blobs.put(source.read(one.entry.name))
        except Refused as refused:
            raise BadRequest(f"{one.entry.name} changed meanwhile: {refused.why}; run it again") from refused
        return Taken(one, f"{root}/{one.entry.name}", sha256, left_out(one.found, known, terms))

    with ThreadPoolExecutor(WRITERS) as writers:  # each write waits for the disk
        taken = list(writers.map(put, new))
    report.new += record(engine, taken)
    report.left_out += sum(bool(one.left_out) for one in taken)


def default_processes(cores: int | None) -> int:
    """One process a core, at most eight."""
    return max(1, min(cores or 1, 8))
