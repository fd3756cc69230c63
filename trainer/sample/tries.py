"""Check and redraw: what looks like the rejects is drawn again from another noise, and the best drawing is kept.

Shape suffixes: B pictures, C latent channels (4), H W latent height and width.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from feedback.sample.tries import Redraw, Tries, cut_of, seed_of_try, tries_allowed, why_once
from feedback.sample.work import Drawing, Job
from store.layout import Layout
from store.tables import Version
from trainer.base.model import Base
from trainer.sample.check import Checker, Judge, how_of
from trainer.sample.preview import DrawStep
from trainer.sample.sampler import Drawn, OnStep, Sampler

log = logging.getLogger("naysayer.sampler")

Draw = Callable[[Sequence[Job], int], Sequence[Tensor]]
"""Final latents (C, H, W) of each job; the number says which try it is."""
Score = Callable[[Sequence[Tensor], Sequence[Job]], Sequence[float]]
"""How much each of these latents looks like the rejects."""


class CheckedSampler(Sampler):
    """A sampler that draws again what the check of a version takes for a reject."""

    def __init__(self, base: Base, layout: Layout) -> None:
        super().__init__(base, layout)
        self._judge: tuple[int, Judge] | None = None
        self._explained: set[int] = set()
        self.checker = Checker(base, layout)

    def drawing_of(self, version: Version, redraw: Redraw | None = None) -> Drawing:
        """How pictures of that version are drawn; how often only where a check decides it."""
        drawing = super().drawing_of(version)
        if cut_of(version) is None:
            return drawing
        return replace(drawing, conditions=replace(drawing.conditions, tries=redraw.most if redraw else 1))

    def draw(
        self, version: Version, jobs: Sequence[Job], on_step: OnStep | None = None, redraw: Redraw | None = None
    ) -> list[Drawn]:
        """One picture for every job, as many at once as fit; with `redraw`, the best of its tries."""
        if redraw is None:
            return super().draw(version, jobs, on_step)

        def draw_once(jobs: Sequence[Job], number: int) -> list[Tensor]:
            def tell(step: DrawStep) -> None:
                if on_step:
                    on_step(step._replace(number=number))

            return self.draw_latents(version, jobs, tell)

        def score(latents: Sequence[Tensor], jobs: Sequence[Job]) -> list[float]:
            judge = self._judge_of(version)
            return judge.scores(torch.stack(list(latents)), [job.prompt for job in jobs]).tolist()

        latents, tries = draw_tries(jobs, draw_once, score, redraw)
        return [replace(drawn, tries=tried) for drawn, tried in zip(self.decode(latents), tries, strict=True)]

    def strip(self) -> None:
        self._judge = None  # its weights go before others come
        super().strip()

    def rest(self) -> None:
        """Leaves only the base in memory, without the LoRA that judges either."""
        self.strip()
        self.checker.strip()

    def _attach(self, version: Version) -> None:
        if version.number not in (0, self.attached):
            self._explain(version)
        super()._attach(version)

    def _explain(self, version: Version) -> None:
        """Says once in the log why a version's pictures are drawn only once."""
        why = why_once(version)
        if why and tries_allowed(self.base.settings) and version.number not in self._explained:
            log.info(why)
            self._explained.add(version.number)

    def _judge_of(self, version: Version) -> Judge:
        if self._judge is None or self._judge[0] != version.number:
            self._judge = (version.number, Judge(self.base, f"v{version.number}", how_of(version)))
        return self._judge[1]


def draw_tries(jobs: Sequence[Job], draw: Draw, score: Score, redraw: Redraw) -> tuple[list[Tensor], list[Tries]]:
    """The latents that were kept (C, H, W), one for every job, with the tries of each.

    Each round draws in one batch all pictures whose lowest score so far is above the cut.
    """
    kept = list(draw(jobs, 1))
    scores = [[found] for found in score(kept, jobs)]
    for number in range(2, redraw.most + 1):
        rows = [row for row, found in enumerate(scores) if min(found) > redraw.cut]
        if not rows:
            break
        again = [Job(jobs[row].prompt, seed_of_try(jobs[row].seed, number)) for row in rows]
        drawn = draw(again, number)
        for row, latent_CHW, found in zip(rows, drawn, score(drawn, again), strict=True):
            if found < min(scores[row]):
                kept[row] = latent_CHW
            scores[row].append(found)
    return kept, [Tries(1 + found.index(min(found)), tuple(found)) for found in scores]
