"""Sorts a folder of pictures by the champion's check; a second call scores only what is new."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Engine
from tqdm import tqdm

from feedback.check.version_check import VersionCheck
from feedback.exchange.pictures.bases import drawn_size, for_reader, known_models
from feedback.exchange.pictures.importing import batched
from feedback.exchange.pictures.mapping import Mapped, supplied
from feedback.exchange.pictures.reading import read_all
from feedback.exchange.pictures.sources import Archive, Folder, Source, open_source
from feedback.exchange.sorting.champion import judging_champion
from feedback.exchange.sorting.held_out import HeldOut
from feedback.exchange.sorting.moving import Target, moved_from, require_apart, take_along
from feedback.exchange.sorting.sending import Chosen, choose, send
from feedback.exchange.sorting.table import OWN, Cut, Row, doubtful, is_flagged, place_cut, sort_rows
from feedback.exchange.sorting.unpacking import require_copies, unpack
from feedback.succession import PLAIN
from store.engine import reading
from store.errors import Stopped
from store.layout import layout_of
from store.migrate import open_store, read_store
from store.phrases import plural
from store.process import catch_stop_signals
from store.settings import Settings
from store.tables import Version
from trainer.base.model import compare_base, silence_libraries
from trainer.base.weights import pin_revision
from trainer.card.loading import settle
from trainer.card.turn import loaded_in_turn
from trainer.sample.check import Checker
from trainer.sample.scores.kept import KeptScores, scores_path
from trainer.sample.scores.scorer import Scorer, read_ahead

BATCH = 32


@dataclass(frozen=True)
class Order:
    """What is asked for: a folder or archive, what a list says of its files, a cut, and what becomes of the pictures.

    `number` is how many of the most doubtful are sent to raters. With `is_dry` it is only said.
    """

    folder: Path
    mapped: Mapped = field(default_factory=Mapped)
    cut: Cut = OWN
    target: Target | None = None
    number: int = 0
    is_dry: bool = False


class Sorted(NamedTuple):
    """The rows from worst to best, the cut, and the held-out scores that say what it means."""

    version: int
    rows: Sequence[Row]
    cut: float
    held_out: HeldOut

    @property
    def flagged(self) -> list[Row]:
        return [row for row in self.rows if is_flagged(row, self.cut)]

    @property
    def words(self) -> str:
        """What came of it, and what the cut means, in two lines."""
        unscored = sum(row.score is None for row in self.rows)
        said = f"; {unscored:,} could not be scored" if unscored else ""
        flagged = f"{len(self.flagged):,} of {plural(len(self.rows), 'picture')}"
        return (
            f"v{self.version} flags {flagged}: those that score above {self.cut:.4g}{said}\n"
            f"{self.held_out.words(self.cut)}"
        )


def sort(settings: Settings, order: Order, say: Callable[[str], None]) -> Sorted:
    """The folder from worst to best; the store is only read. `say` gets what a person should know.

    A share is one of the folder and of what was moved out of it before, so a second call moves nothing more. Raises
    BadRequest for a champion without a check, OtherBase, DamagedVersion, ModelError, or Stopped.
    """
    source = open_source(order.folder)
    if order.target:
        require_apart(order.folder, order.target.folder)
        if isinstance(source, Archive):
            require_copies(order.target)
    engine = read_store(settings)
    version, check = judging_champion(engine)
    if order.cut == OWN:
        place_cut(order.cut, check, [])  # a version without a cut is refused before hours of scoring
    moved = moved_from(order.folder, order.target) if order.target and order.target.moves else []
    sources = [source, *([Chosen(Folder(order.target.folder), moved)] if order.target and moved else [])]
    rows, *before = _score(engine, settings, (version, check), sources, order, say)
    with reading(engine) as session:
        held_out = HeldOut.of(session, version.number)
    cut = place_cut(order.cut, check, sort_rows([*rows, *(row for some in before for row in some)]))
    return Sorted(version.number, sort_rows(rows), cut, held_out)


def act(settings: Settings, order: Order, found: Sorted, say: Callable[[str], None]) -> list[str]:
    """Sends the most doubtful pictures to raters, then takes the flagged ones elsewhere; what was done, in words."""
    done = []
    if order.number:
        engine = read_store(settings) if order.is_dry else open_store(settings)
        rows = choose(engine, doubtful(found.rows, found.cut), order.number)
        if order.is_dry:
            done.append(f"would send to raters: {_names(rows)}")
        else:
            sent = send(engine, layout_of(settings).blobs, open_source(order.folder), rows, order.mapped, say)
            done.append(f"sent to raters:\n{sent}")
    if order.target and order.is_dry:
        does = "move" if order.target.moves else "copy"
        done.append(f"would {does} {plural(len(found.flagged), 'picture')} to {order.target.folder}")
    elif order.target:
        source = open_source(order.folder)
        if isinstance(source, Archive):
            done.append(unpack(source, found.flagged, order.target, say).words)
        else:
            done.append(take_along(order.folder, found.flagged, order.target, say).words)
    return done


def _score(
    engine: Engine,
    settings: Settings,
    judge: tuple[Version, VersionCheck],
    sources: Sequence[Source],
    order: Order,
    say: Callable[[str], None],
) -> list[list[Row]]:
    """A row for every picture of each source. Raises Stopped at a signal; what was scored stays."""
    known, size, layout = for_reader(known_models(engine)), drawn_size(engine), layout_of(settings)
    total = sum(1 for source in sources for _ in source.entries())
    kept, found = KeptScores(scores_path(layout, settings, *judge)), [list[Row]() for _ in sources]
    with (
        catch_stop_signals() as stop,
        ExitStack() as held,
        tqdm(total=total, desc="scoring", unit=" pictures", delay=1) as bar,
    ):
        scorer = Scorer(engine, layout, judge[0], kept, partial(_load, engine, settings, held, say))
        for source, rows in zip(sources, found, strict=True):
            reads = (
                one._replace(found=supplied(one.found, order.mapped, one.entry.name, known))
                for one in read_all(source, source.entries(), known, 1)
            )
            for batch in read_ahead(batched(reads, BATCH)):
                for row in scorer.rows(source, batch, size):
                    rows.append(row)
                    bar.update()
                    if stop.is_set():
                        raise Stopped(sum(map(len, found)), total)
    return found


def _load(engine: Engine, settings: Settings, held: ExitStack, say: Callable[[str], None]) -> Checker:
    """The check on the store's base, which stays until `held` ends."""
    say("loading the model")
    silence_libraries()
    layout = layout_of(settings)
    own = partial(settle, engine, layout, settings, say)
    base = held.enter_context(loaded_in_turn(pin_revision(engine, settings), "`naysayer sort`", own))
    with reading(engine) as session:
        compare_base(session.get(Version, PLAIN), base)
    return Checker(base, layout)


def _names(rows: Sequence[Row]) -> str:
    return ", ".join(row.entry.name for row in rows) or "none"
