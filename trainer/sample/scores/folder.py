"""A folder that a page asked to be sorted, scored between two drawings of the worker."""

import logging
import time
from collections.abc import Iterator

from sqlalchemy import Engine

from feedback.exchange.pictures.bases import drawn_size, for_reader, known_models
from feedback.exchange.pictures.importing import batched
from feedback.exchange.pictures.mapping import own_mapping, supplied
from feedback.exchange.pictures.reading import read_all
from feedback.exchange.sorting.sortings import Sorting, report, require_source, rows_of
from feedback.exchange.sorting.table import Row
from store.errors import NaysayerError
from store.layout import Layout
from store.tables import TaskStatus
from trainer.sample.scores.scorer import AT_ONCE, Scorer, read_ahead

log = logging.getLogger("naysayer.worker")


class OpenFolder:
    """A folder that is being scored: what is left of it, and how fast it goes."""

    def __init__(self, engine: Engine, layout: Layout, sorting: Sorting) -> None:
        self.engine, self.layout, self.number = engine, layout, sorting.number
        self.kept_rows, self.source = rows_of(layout, sorting.number), require_source(sorting.folder)
        done = {row.entry for row in self.kept_rows.all() if row.score is not None}
        entries = [entry for entry in self.source.entries() if entry not in done]
        self.left, self.total = len(entries), len(entries) + len(done)
        known, self.drawn = for_reader(known_models(engine)), drawn_size(engine)
        mapped = own_mapping(self.source, log.info)
        reads = (
            one._replace(found=supplied(one.found, mapped, one.entry.name, known))
            for one in read_all(self.source, entries, known, 1)
        )
        self.batches = read_ahead(batched(reads, AT_ONCE))
        self.scored, self.began = 0, 0.0

    def go_on(self, scorer: Scorer, slice_s: float) -> bool:
        """Scores for so many seconds; False when all is scored, or a person stopped it."""
        rows = list[Row]()
        try:
            scorer.prepare()  # once it takes as long as dozens of pictures, and says nothing of the pace
            self.began = self.began or time.monotonic()
            until = time.monotonic() + slice_s
            for row in self._rows(scorer):
                rows.append(row)
                if time.monotonic() >= until and len(rows) % AT_ONCE == 0:
                    break
        except NaysayerError as error:
            report(self.engine, self.number, TaskStatus.failed, self.how_far, str(error))
            return False
        finally:
            if rows:
                self.kept_rows.add(rows)
        self.left -= len(rows)
        self.scored += len(rows)
        status = TaskStatus.running if self.left else TaskStatus.done
        return report(self.engine, self.number, status, self.how_far) and self.left > 0

    @property
    def how_far(self) -> dict[str, float | None]:
        """What the page is told."""
        return {"total": self.total, "left_s": self._left_s()}

    def _rows(self, scorer: Scorer) -> Iterator[Row]:
        for batch in self.batches:
            yield from scorer.rows(self.source, batch, self.drawn)

    def _left_s(self) -> float | None:
        """How long the rest takes at the pace so far, with the drawings between."""
        return self.left * (time.monotonic() - self.began) / self.scored if self.scored else None
