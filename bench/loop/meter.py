"""Measures a row: draws its evaluation pictures, as often as its check asks, and judges them from their pixels."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import combinations
from time import process_time
from typing import Any, NamedTuple

import numpy as np
from PIL.Image import Image as Picture

from bench.loop.album import Album, Shot
from bench.loop.rows import HIGHER_GUIDANCE, WOOLFS_GUIDANCE, Plan, Row
from bench.loop.stores import OTHER_ITEMS, Stores, evaluation_items
from feedback.check.version_check import How
from feedback.recipe import Recipe
from feedback.sample.tries import Redraw, Tries, best_of, redraw_of, seed_of_try, tries_allowed
from feedback.sample.work import Drawing, Job
from store.layout import layout_of
from store.settings import Settings
from store.tables import Version

BY_PROMPT = (0.0, 1.0)
"""The check's weights without what the votes taught."""
REDRAWN_PERCENT = 20
"""The cut: so many of a hundred pictures of other prompts have a higher score."""


class Told(NamedTuple):
    """What the LoRA of a row says of pictures that are drawn once: the score of each, and whether it is wrong."""

    scores: list[float]
    are_wrong: list[bool]


class Judged(NamedTuple):
    """The faults of each evaluation picture, in order; how far a prompt's pictures differ; how they were made.

    `spread` is the root mean square distance between the latents of two pictures of one prompt. `right_spread` counts
    only pictures without mistakes, because a mistake, such as a wrong colour, is a difference that nobody wants.
    `draw_s` is CPU seconds for a picture, with all its `drawings` and their scores. What the row's LoRA tells is of the
    row's own pictures, each drawn once, and of the base's.
    """

    faults: list[list[str]]
    spread: float
    right_spread: float
    strength: float
    guidance_scale: float
    train_s: float
    drawings: float
    draw_s: float
    own_scores: list[float]
    own_wrong: list[bool]
    base_scores: list[float]
    base_wrong: list[bool]


class Drawn(NamedTuple):
    """The drawings that were kept; how many there were for each picture, and the CPU seconds that they took."""

    shots: list[Shot]
    drawings: float
    seconds: float


class Meter:
    """Judges rows on one replicate's evaluation set."""

    def __init__(self, base: Any, stores: Stores, plan: Plan) -> None:
        self.base, self.stores, self.plan, self.world = base, stores, plan, stores.world
        self.album = Album(base, stores.world.judge)
        self.how: How | None = None

    def measure(self, row: Row) -> Judged:
        """The evaluation pictures of a row, judged from their pixels."""
        items = self._items(row)
        with self.attached(row) as (drawing, version):
            told = self._tell(row, drawing, items)
            every = row.redrawing.every if row.redrawing else 1
            asked = [job for k, job in enumerate(items) if k % self.plan.seeds % every == 0]
            drawn = self._draw(row, drawing, asked, self._redraw(row, drawing, version))
        faults = [list(shot.faults) for shot in drawn.shots]
        by_prompt = np.stack([shot.latent_CHW.numpy() for shot in drawn.shots]).reshape(
            self.plan.prompts, len(asked) // self.plan.prompts, -1
        )
        is_right = np.array([not found for found in faults]).reshape(by_prompt.shape[:2])
        spreads = _spread(by_prompt), _spread(by_prompt, is_right)
        train_s = version.train_seconds if version else 0.0
        how = (drawing.strength, drawing.guidance_scale, train_s, drawn.drawings, drawn.seconds)
        return Judged(faults, *spreads, *how, *told[0], *told[1])

    def pictures(self, row: Row, items: Sequence[Job]) -> list[tuple[Picture, bool]]:
        """A row's pictures for some prompts and seeds, each with whether it is wrong."""
        import torch

        from trainer.base.vae import decode_latents

        with self.attached(row) as (drawing, version):
            shots = self._draw(row, drawing, items, self._redraw(row, drawing, version)).shots
            pictures = decode_latents(self.base, torch.stack([shot.latent_CHW for shot in shots]))
        return [(picture, bool(shot.faults)) for picture, shot in zip(pictures, shots, strict=True)]

    def _items(self, row: Row) -> list[Job]:
        unseen = self.world.unseen
        subjects = (unseen.subject, unseen.shown_by) if row.name.startswith("held-out") else ()
        return evaluation_items(self.world, self.stores.seed, self.plan.prompts, self.plan.seeds, subjects)

    def _other_items(self) -> list[Job]:
        return evaluation_items(self.world, self.stores.seed + OTHER_ITEMS, 24, 2)

    def _tell(self, row: Row, drawing: Drawing, items: Sequence[Job]) -> tuple[Told, Told]:
        """The LoRA's scores of the pictures it steered, and of the base's; empty for a row without a LoRA."""
        if not row.kind:
            return Told([], []), Told([], [])
        own = self.album.shots(_lora(row), drawing, items)
        plain = self.album.shots("", self.base.plain, items)
        return self._told(own, items), self._told(plain, items)

    def _told(self, shots: Sequence[Shot], items: Sequence[Job]) -> Told:
        scores, _ = self._scores([shot.latent_CHW for shot in shots], items)
        return Told(scores, [bool(shot.faults) for shot in shots])

    def _scores(self, latents: Sequence[Any], jobs: Sequence[Job]) -> tuple[list[float], float]:
        """How much each latent looks like the rejects to the LoRA that is attached, and the CPU seconds it took."""
        import torch

        from trainer.lora.tensors import TRAINED
        from trainer.sample.check import reject_scores

        began = process_time()
        prompts = [job.prompt for job in jobs]
        scores_B = reject_scores(self.base, torch.stack(list(latents)), prompts, TRAINED, self.how)
        return scores_B.tolist(), process_time() - began

    def _draw(self, row: Row, drawing: Drawing, items: Sequence[Job], redraw: Redraw | None) -> Drawn:
        """Every picture, drawn again as `redraw` says."""
        from trainer.sample.tries import draw_tries

        take, chance = partial(self.album.shots, _lora(row), drawing), np.random.default_rng(self.stores.seed)
        is_shuffled = row.redrawing is not None and row.redrawing.is_shuffled
        spent: list[float] = []

        def draw(jobs: Sequence[Job], _number: int) -> list[Any]:
            return [shot.latent_CHW for shot in take(jobs)]

        def score(latents: Sequence[Any], jobs: Sequence[Job]) -> list[float]:
            scores, seconds = self._scores(latents, jobs)
            spent.append(seconds)
            return [float(found) for found in chance.permutation(scores)] if is_shuffled else scores

        tries = draw_tries(items, draw, score, redraw)[1] if redraw else [Tries()] * len(items)
        asked = [
            Job(job.prompt, seed_of_try(job.seed, number))
            for job, found in zip(items, tries, strict=True)
            for number in range(1, 1 + max(1, len(found.scores)))
        ]
        kept = [Job(job.prompt, seed_of_try(job.seed, found.kept)) for job, found in zip(items, tries, strict=True)]
        seconds = sum(spent) + sum(shot.seconds for shot in take(asked))
        return Drawn(take(kept), len(asked) / len(items), seconds / len(items))

    def _redraw(self, row: Row, drawing: Drawing, version: Version | None) -> Redraw | None:
        """How a row's pictures are drawn again; None: they are drawn once."""
        how = row.redrawing
        if how is None or version is None:
            return None
        if how.again is None:
            return redraw_of(version, tries_allowed(self.stores.settings))
        if how.is_always:
            return best_of(1 + how.again)
        others = self._other_items()
        told = self._told(self.album.shots(_lora(row), drawing, others), others)
        return Redraw(1 + how.again, float(np.percentile(told.scores, 100 - REDRAWN_PERCENT)))

    @contextmanager
    def attached(self, row: Row) -> Iterator[tuple[Drawing, Version | None]]:
        """How a row is drawn, and its version. Inside the block its LoRA is attached to the base."""
        from trainer.lora.formats import DIFFUSERS_FILE
        from trainer.lora.tensors import TRAINED, attach_file, detach
        from trainer.sample.check import how_of

        if not row.kind:
            yield self._plain(row), None
            return
        store, version = self.stores.trained(row.kind, row.round)
        assert version.sha256 is not None
        by_prompt = row.redrawing is not None and row.redrawing.is_by_prompt
        how = how_of(version)
        self.how = How.at(how.timesteps, how.noises, BY_PROMPT) if by_prompt else how
        attach_file(self.base.pipe, layout_of(store).version_folder(version.sha256) / DIFFUSERS_FILE, TRAINED)
        try:
            yield self._steered(row, store, version), version
        finally:
            detach(self.base.pipe, TRAINED)

    def _plain(self, row: Row) -> Drawing:
        changes: dict[str, dict[str, Any]] = {
            "base+negative-prompt": {"negative_prompt": self.world.negative_prompt},
            "base+guidance": {"guidance_scale": HIGHER_GUIDANCE},
        }
        return replace(self.base.plain, **changes.get(row.name, {}))

    def _steered(self, row: Row, store: Settings, version: Any) -> Drawing:
        """The version's own strength under its own rule; under another rule, the strength that a sweep chooses."""
        from trainer.sample.sampler import steer_drawing

        if row.rule == "plain":
            return self.base.plain
        if row.name == "woolf":
            woolf = replace(Recipe.of(version), rule="woolf", strength=1.0)
            return replace(steer_drawing(self.base.plain, woolf), guidance_scale=WOOLFS_GUIDANCE)
        if row.name == "woolf-tuned":
            return self._woolf_tuned(row, version)
        strength = version.strength if row.rule == version.rule else self._chosen(row.rule, store, version)
        return steer_drawing(self.base.plain, replace(Recipe.of(version), rule=row.rule, strength=strength))

    def _chosen(self, rule: str, store: Settings, version: Any) -> float:
        from feedback.retrain.manifest import load_manifest
        from store.migrate import open_store
        from trainer.fit.cache import Cache
        from trainer.fit.training import Training
        from trainer.retrain.strength import choose_strength

        layout = layout_of(store)
        manifest = load_manifest(open_store(store), version.manifest_id)
        self.base.pipe.unet.enable_adapters()
        cache, changed = Cache(self.base, layout.blobs, layout.cache), store.model_copy(update={"rule": rule})
        choice = choose_strength(Training(self.base, cache, manifest, changed), {})
        self.base.pipe.unet.disable_adapters()
        return choice.strength

    def _woolf_tuned(self, row: Row, version: Any) -> Drawing:
        """The guidance and LoRA scale with the fewest mistakes, by the judge itself, on other prompts and seeds."""
        from trainer.sample.sampler import steer_drawing

        recipe, others = replace(Recipe.of(version), rule="woolf"), self._other_items()
        tried = [
            replace(steer_drawing(self.base.plain, replace(recipe, strength=scale)), guidance_scale=w)
            for w in (self.base.plain.guidance_scale, 4.0, 6.0)
            for scale in (0.1, 0.3, 1.0)
        ]
        return min(
            tried, key=lambda drawing: sum(bool(s.faults) for s in self.album.shots(_lora(row), drawing, others))
        )


def _lora(row: Row) -> str:
    """The name of the weights that steer a row; empty where none do."""
    return "" if row.rule == "plain" else f"{row.kind}, round {row.round}"


def _spread(by_prompt: np.ndarray, counted: np.ndarray | None = None) -> float:
    """The root mean square distance of two pictures of a prompt, averaged over all pairs that count."""
    prompts, seeds, _ = by_prompt.shape
    counted = np.ones((prompts, seeds), bool) if counted is None else counted
    apart = [
        float(np.sqrt(np.square(by_prompt[p, a] - by_prompt[p, b]).mean()))
        for p in range(prompts)
        for a, b in combinations(np.flatnonzero(counted[p]), 2)
    ]
    return float(np.mean(apart)) if apart else 0.0
