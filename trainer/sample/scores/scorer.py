"""Scores files in batches; the model is asked for when a picture has no score yet.

Shape suffixes: B pictures, C latent channels, H W latent height and width.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from itertools import groupby
from typing import NamedTuple

import torch
from sqlalchemy import Engine

from feedback.exchange.pictures.reading import Read
from feedback.exchange.pictures.sources import Source
from feedback.exchange.sorting.held_out import drawn_pictures
from feedback.exchange.sorting.judged import prompt_of
from feedback.exchange.sorting.table import Row
from feedback.metadata.files.refused import Refused
from store.errors import DamagedStore
from store.layout import Layout
from store.tables import Image, Version
from trainer.base.vae import encode_picture
from trainer.sample.check import Checker, read_latent
from trainer.sample.scores.kept import KeptScores, TwoWays, key_of

AT_ONCE = 8
COMPARED = 32
"""So many pictures of the store are scored both ways, to bring scores from pixels onto the scale of the others."""


class Wanted(NamedTuple):
    """A picture that can be scored, and the prompt that it is scored under."""

    read: Read
    prompt: str

    @property
    def key(self) -> str:
        return key_of(self.read.pixels_sha256, self.prompt)

    @property
    def size(self) -> tuple[int, int]:
        return self.read.found.width, self.read.found.height


class Scorer:
    """One version's check over files. `load` gives the checker when the first picture without a score comes."""

    def __init__(
        self, engine: Engine, layout: Layout, version: Version, kept: KeptScores, load: Callable[[], Checker]
    ) -> None:
        self.engine, self.layout, self.version, self.kept, self.load = engine, layout, version, kept, load
        self._checker: Checker | None = None

    def rows(self, source: Source, reads: Sequence[Read], drawn: tuple[int, int] | None) -> Iterator[Row]:
        """A row for every picture: first those that need no scoring, then the others, batch by batch.

        `drawn` is the width and height that the store draws, in pixels. Raises ModelError or DamagedVersion.
        """
        wanted = []
        for read in reads:
            prompt, why = prompt_of(read.found, drawn)
            one = Wanted(read, prompt)
            if why:
                yield Row(read.entry, read.pixels_sha256, None, why, prompt)
            elif one.key in self.kept.scores:
                yield self._row(one)
            else:
                wanted.append(one)
        for _, alike in groupby(sorted(wanted, key=lambda one: one.size), key=lambda one: one.size):
            some = list(alike)
            for start in range(0, len(some), AT_ONCE):
                yield from self._score(source, some[start : start + AT_ONCE])

    def _score(self, source: Source, wanted: Sequence[Wanted]) -> Iterator[Row]:
        """Rows of pictures of one size; their scores are kept."""
        checker, latents, scored = self.prepare(), [], []
        for one in wanted:
            try:
                latents.append(encode_picture(checker.base, source.read(one.read.entry.name)).mean.float())
                scored.append(one)
            except (Refused, OSError):
                yield Row(one.read.entry, "", None, "it changed while it was read; run this again")
        if scored:
            prompts = [one.prompt for one in scored]
            raw = checker.reject_scores(self.version, torch.stack(latents), prompts).tolist()
            self.kept.add({one.key: score for one, score in zip(scored, raw, strict=True)})
            yield from map(self._row, scored)

    def _row(self, one: Wanted) -> Row:
        """The row of a picture whose score is kept, on the scale of the held-out ones."""
        if self.kept.scale is None:
            self.prepare()
        assert self.kept.scale is not None
        [score] = self.kept.scale.matched([self.kept.scores[one.key]])
        return Row(one.read.entry, one.read.pixels_sha256, score, prompt=one.prompt)

    def prepare(self) -> Checker:
        """The checker; the version's scale, which is measured once, is kept."""
        if self._checker is None:
            self._checker = self.load()
            is_short = self.kept.scale is None or len(self.kept.scale.from_pixels) < COMPARED
            if is_short and not self.kept.is_scale_new:
                drawn = drawn_pictures(self.engine, COMPARED)
                self.kept.keep_scale(score_two_ways(self._checker, self.version, drawn))
        return self._checker


def score_two_ways(checker: Checker, version: Version, pictures: Sequence[tuple[Image, str]]) -> TwoWays:
    """Both scores of pictures of one size that the store drew; those whose files are damaged are left out."""
    found = TwoWays([], [])
    for start in range(0, len(pictures), AT_ONCE):
        own, encoded, prompts = [], [], []
        for image, prompt in pictures[start : start + AT_ONCE]:
            with suppress(DamagedStore):
                png = checker.layout.blobs.get(image.sha256)
                own.append(read_latent(checker.base, checker.layout, image))
                encoded.append(encode_picture(checker.base, png).mean.float())
                prompts.append(prompt)
        for scores, latents in ((found.from_pixels, encoded), (found.from_latents, own)):
            if latents:
                scores += checker.reject_scores(version, torch.stack(latents), prompts).tolist()
    return found


def read_ahead(batches: Iterable[list[Read]]) -> Iterator[list[Read]]:
    """The batches, of which the next is read while one is in use."""
    rest = iter(batches)
    with ThreadPoolExecutor(1) as reader:
        coming: Future[list[Read]] = reader.submit(next, rest, [])
        while batch := coming.result():
            coming = reader.submit(next, rest, [])
            yield batch
