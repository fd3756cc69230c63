"""Scores the pictures of a folder in batches; the model is loaded when a picture has no score yet.

Shape suffixes: B pictures, C latent channels, H W latent height and width.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from functools import partial
from itertools import groupby
from typing import NamedTuple, Self

import torch
from sqlalchemy import Engine

from feedback.check.version_check import match_scale
from feedback.exchange.pictures.outcome import TAKEN
from feedback.exchange.pictures.reading import Read
from feedback.exchange.pictures.sources import Source
from feedback.exchange.sorting.held_out import drawn_pictures
from feedback.exchange.sorting.table import Row
from feedback.metadata.files.refused import Refused
from feedback.sample.prompts import clean_prompt
from feedback.succession import PLAIN
from store.engine import reading
from store.errors import BadRequest, DamagedStore
from store.layout import layout_of
from store.settings import Settings
from store.tables import Image, Version
from trainer.base.model import compare_base, silence_libraries
from trainer.base.vae import encode_picture
from trainer.base.weights import pin_revision
from trainer.card.loading import settle
from trainer.card.turn import loaded_in_turn
from trainer.sample.check import Checker, read_latent
from trainer.sort.kept import KeptScores, key_of

AT_ONCE = 8
COMPARED, LEAST_COMPARED = 32, 8
"""So many pictures of the store are scored both ways, to bring scores from pixels onto the scale of the others; with
fewer than the least there is no such scale."""
MOST_AREA, LEAST_SIDE = 4.0, 0.25
"""A picture has at most so many times the area that the store draws, and no side below this part of its shorter one:
the check has seen no others, and a very large one does not fit into memory."""


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


class TwoWays(NamedTuple):
    """The scores of the same pictures from the VAE's mean for their pixels, and from the sampler's own latents."""

    from_pixels: list[float]
    from_latents: list[float]

    def matched(self, scores: list[float]) -> list[float]:
        """Scores from pixels, on the scale of those from latents, on which cut and held-out scores are."""
        return match_scale(scores, *self) if len(self.from_pixels) >= LEAST_COMPARED else scores


class Scorer:
    """One version's check over the pictures of one folder."""

    def __init__(
        self, engine: Engine, settings: Settings, version: Version, kept: KeptScores, say: Callable[[str], None]
    ) -> None:
        self.engine, self.settings, self.version, self.kept, self.say = engine, settings, version, kept, say
        self._held = ExitStack()
        self._checker: Checker | None = None
        self._scale = TwoWays([], [])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._held.close()

    def rows(self, source: Source, reads: Sequence[Read], drawn: tuple[int, int] | None) -> Iterator[Row]:
        """A row for every picture: first those that need no scoring, then the others, batch by batch.

        `drawn` is the width and height that the store draws, in pixels. Raises ModelError or DamagedVersion.
        """
        wanted = []
        for read in reads:
            prompt, why = _prompt_of(read, drawn)
            one = Wanted(read, prompt)
            if why or one.key in self.kept.scores:
                yield Row(read.entry, read.pixels_sha256, None if why else self.kept.scores[one.key], why)
            else:
                wanted.append(one)
        for _, alike in groupby(sorted(wanted, key=lambda one: one.size), key=lambda one: one.size):
            some = list(alike)
            for start in range(0, len(some), AT_ONCE):
                yield from self._score(source, some[start : start + AT_ONCE])

    def _score(self, source: Source, wanted: Sequence[Wanted]) -> Iterator[Row]:
        """Rows of pictures of one size; their scores are kept."""
        checker, latents, scored = self._load(), [], []
        for one in wanted:
            try:
                latents.append(encode_picture(checker.base, source.read(one.read.entry.name)).mean.float())
                scored.append(one)
            except (Refused, OSError):
                yield Row(one.read.entry, "", None, "it changed while it was read; run this again")
        if scored:
            prompts = [one.prompt for one in scored]
            raw = checker.reject_scores(self.version, torch.stack(latents), prompts).tolist()
            scores = self._scale.matched(raw)
            self.kept.add({one.key: score for one, score in zip(scored, scores, strict=True)})
            for one, score in zip(scored, scores, strict=True):
                yield Row(one.read.entry, one.read.pixels_sha256, score)

    def _load(self) -> Checker:
        if self._checker is None:
            self.say("loading the model")
            silence_libraries()
            layout = layout_of(self.settings)
            own = partial(settle, self.engine, layout, self.settings, self.say)
            turn = loaded_in_turn(pin_revision(self.engine, self.settings), "`naysayer sort`", own)
            base = self._held.enter_context(turn)
            with reading(self.engine) as session:
                compare_base(session.get(Version, PLAIN), base)
            self._checker = Checker(base, layout)
            self._scale = score_two_ways(self._checker, self.version, drawn_pictures(self.engine, COMPARED))
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


def _prompt_of(read: Read, drawn: tuple[int, int] | None) -> tuple[str, str]:
    """The prompt that a picture is scored under, or why it cannot be."""
    found = read.found
    if found.status not in TAKEN:
        return "", found.why
    if drawn is not None and not fits(found.width, found.height, drawn):
        return "", (
            f"it is {found.width}×{found.height}; this store draws {drawn[0]}×{drawn[1]}, and its check has seen "
            "nothing so different"
        )
    try:
        return clean_prompt(found.prompt or ""), ""
    except BadRequest as error:
        return "", str(error)


def fits(width: int, height: int, drawn: tuple[int, int]) -> bool:
    """Whether a picture's size is near enough to the drawn one.

    >>> fits(832, 1216, (1024, 1024)), fits(4096, 4096, (1024, 1024)), fits(64, 1024, (1024, 1024))
    (True, False, False)
    """
    return width * height <= MOST_AREA * drawn[0] * drawn[1] and min(width, height) >= LEAST_SIDE * min(drawn)
