"""Sorts a folder of pictures by the champion's check; a second call scores only what is new."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Engine
from tqdm import tqdm

from feedback.check.version_check import VersionCheck
from feedback.exchange.pictures.bases import drawn_size, for_reader, known_models
from feedback.exchange.pictures.importing import batched
from feedback.exchange.pictures.mapping import Mapped, supplied
from feedback.exchange.pictures.reading import read_all
from feedback.exchange.pictures.sources import Folder
from feedback.exchange.sorting.held_out import HeldOut
from feedback.exchange.sorting.moving import Target, require_apart, take_along
from feedback.exchange.sorting.sending import choose, send
from feedback.exchange.sorting.table import OWN, Cut, Row, doubtful, is_flagged, place_cut, sort_rows
from feedback.succession import alias_target
from feedback.versions import require_version
from store.engine import reading
from store.errors import BadRequest, Stopped
from store.layout import layout_of
from store.migrate import open_store, read_store
from store.phrases import plural
from store.process import catch_stop_signals
from store.settings import Settings
from store.tables import AliasName, Version
from trainer.sort.kept import kept_scores
from trainer.sort.scoring import Scorer, read_ahead

BATCH = 32


@dataclass(frozen=True)
class Order:
    """What is asked for: a folder, what a list says of its files, a cut, and what becomes of the pictures.

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

    Raises BadRequest for a champion without a check, OtherBase, DamagedVersion, ModelError, or Stopped.
    """
    if not order.folder.is_dir():
        raise BadRequest(f"{order.folder} is no folder; give a folder of pictures")
    if order.target:
        require_apart(order.folder, order.target.folder)
    engine = read_store(settings)
    version, check = _champion(engine)
    if order.cut == OWN:
        place_cut(order.cut, check, [])  # a version without a cut is refused before hours of scoring
    rows = sort_rows(_score(engine, settings, version, check, order, say))
    with reading(engine) as session:
        held_out = HeldOut.of(session, version.number)
    return Sorted(version.number, rows, place_cut(order.cut, check, rows), held_out)


def act(settings: Settings, order: Order, found: Sorted, say: Callable[[str], None]) -> list[str]:
    """Sends the most doubtful pictures to raters, then takes the flagged ones elsewhere; what was done, in words."""
    done = []
    if order.number:
        engine = read_store(settings) if order.is_dry else open_store(settings)
        rows = choose(engine, doubtful(found.rows, found.cut), order.number)
        if order.is_dry:
            done.append(f"would send to raters: {_names(rows)}")
        else:
            sent = send(engine, layout_of(settings).blobs, order.folder, rows, order.mapped, say)
            done.append(f"sent to raters:\n{sent}")
    if order.target and order.is_dry:
        does = "move" if order.target.moves else "copy"
        done.append(f"would {does} {plural(len(found.flagged), 'picture')} to {order.target.folder}")
    elif order.target:
        done.append(take_along(order.folder, found.flagged, order.target, say))
    return done


def _champion(engine: Engine) -> tuple[Version, VersionCheck]:
    """The champion and its check. Raises BadRequest where there is none, or it is off."""
    with reading(engine) as session:
        number = alias_target(session, AliasName.champion)
        version = None if number is None else require_version(session, number)
    check = None if version is None else VersionCheck.of(version)
    if version is None or check is None:
        who = "this store has no champion" if version is None else f"the champion, v{version.number}, has no check"
        raise BadRequest(f"{who}, so nothing can be scored; retrain, then promote the new version")
    if not check.is_on:
        raise BadRequest(f"the champion, v{version.number}, cannot score pictures: {check.off}")
    return version, check


def _score(
    engine: Engine,
    settings: Settings,
    version: Version,
    check: VersionCheck,
    order: Order,
    say: Callable[[str], None],
) -> list[Row]:
    """A row for every picture of the folder. Raises Stopped at a signal; what was scored stays."""
    source, known, size = Folder(order.folder), for_reader(known_models(engine)), drawn_size(engine)
    total = sum(1 for _ in source.entries())
    reads = (
        one._replace(found=supplied(one.found, order.mapped, one.entry.name, known))
        for one in read_all(source, source.entries(), known, 1)
    )
    rows: list[Row] = []
    kept = kept_scores(layout_of(settings), settings, version, check)
    with (
        catch_stop_signals() as stop,
        Scorer(engine, settings, version, kept, say) as scorer,
        tqdm(total=total, desc="scoring", unit=" pictures", delay=1) as bar,
    ):
        for batch in read_ahead(batched(reads, BATCH)):
            for row in scorer.rows(source, batch, size):
                rows.append(row)
                bar.update()
                if stop.is_set():
                    raise Stopped(len(rows), total)
    return rows


def _names(rows: Sequence[Row]) -> str:
    return ", ".join(row.entry.name for row in rows) or "none"
