"""Measures a row: draws its evaluation pictures and judges them from their pixels."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from PIL.Image import Image as Picture

from bench.loop.rows import HIGHER_GUIDANCE, WOOLFS_GUIDANCE, Plan, Row
from bench.loop.stores import OTHER_ITEMS, Stores, evaluation_items
from feedback.recipe import Recipe
from feedback.sample.work import Drawing, Job
from store.layout import layout_of
from store.settings import Settings

AT_ONCE = 24


class Judged(NamedTuple):
    """The faults of each evaluation picture, in order; how far a prompt's pictures differ; how they were made.

    `spread` is the root mean square distance between the latents of two pictures of one prompt. `right_spread` counts
    only pictures without mistakes, because a mistake, such as a wrong colour, is a difference that nobody wants.
    """

    faults: list[list[str]]
    spread: float
    right_spread: float
    strength: float
    guidance_scale: float
    train_s: float


class Meter:
    """Judges rows on one replicate's evaluation set."""

    def __init__(self, base: Any, stores: Stores, plan: Plan) -> None:
        self.base, self.stores, self.plan, self.world = base, stores, plan, stores.world

    def measure(self, row: Row) -> Judged:
        """The evaluation pictures of a row, judged from their pixels."""
        unseen = self.world.unseen
        subjects = (unseen.subject, unseen.shown_by) if row.name.startswith("held-out") else ()
        items = evaluation_items(self.world, self.stores.seed, self.plan.prompts, self.plan.seeds, subjects)
        with self.drawing_of(row) as (drawing, train_s):
            pictures, latents = self._drawn(drawing, items)
        faults, how = self._faults(pictures, items), (drawing.strength, drawing.guidance_scale, train_s)
        by_prompt = latents.reshape(self.plan.prompts, self.plan.seeds, -1)
        is_right = np.array([not found for found in faults]).reshape(self.plan.prompts, self.plan.seeds)
        return Judged(faults, _spread(by_prompt), _spread(by_prompt, is_right), *how)

    def pictures(self, row: Row, items: Sequence[Job]) -> list[tuple[Picture, bool]]:
        """A row's pictures for some prompts and seeds, each with whether it is wrong."""
        with self.drawing_of(row) as (drawing, _):
            pictures, _ = self._drawn(drawing, items)
        return list(zip(pictures, map(bool, self._faults(pictures, items)), strict=True))

    @contextmanager
    def drawing_of(self, row: Row) -> Iterator[tuple[Drawing, float]]:
        """How a row is drawn, and the seconds its training took. Inside the block its LoRA is attached to the base."""
        from trainer.lora.formats import DIFFUSERS_FILE
        from trainer.lora.tensors import TRAINED, attach_file, detach

        if not row.kind:
            yield self._plain(row), 0.0
            return
        store, version = self.stores.trained(row.kind, row.round)
        assert version.sha256 is not None
        attach_file(self.base.pipe, layout_of(store).version_folder(version.sha256) / DIFFUSERS_FILE, TRAINED)
        try:
            yield self._steered(row, store, version), version.train_seconds
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

        if row.name == "woolf":
            woolf = replace(Recipe.of(version), rule="woolf", strength=1.0)
            return replace(steer_drawing(self.base.plain, woolf), guidance_scale=WOOLFS_GUIDANCE)
        if row.name == "woolf-tuned":
            return self._woolf_tuned(version)
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

    def _woolf_tuned(self, version: Any) -> Drawing:
        """The guidance and LoRA scale with the fewest mistakes, by the judge itself, on other prompts and seeds."""
        from trainer.sample.sampler import steer_drawing

        recipe = replace(Recipe.of(version), rule="woolf")
        items = evaluation_items(self.world, self.stores.seed + OTHER_ITEMS, 24, 2)
        tried = [
            replace(steer_drawing(self.base.plain, replace(recipe, strength=scale)), guidance_scale=w)
            for w in (self.base.plain.guidance_scale, 4.0, 6.0)
            for scale in (0.1, 0.3, 1.0)
        ]

        def wrong(drawing: Drawing) -> int:
            return sum(map(bool, self._faults(self._drawn(drawing, items)[0], items)))

        return min(tried, key=wrong)

    def _drawn(self, drawing: Drawing, items: Sequence[Job]) -> tuple[list[Picture], np.ndarray]:
        from trainer.base.vae import decode_latents
        from trainer.lora.tensors import TRAINED
        from trainer.sample.sampler import sample_latents

        pictures: list[Picture] = []
        latents = []
        for start in range(0, len(items), AT_ONCE):
            part = items[start : start + AT_ONCE]
            drawn = sample_latents(self.base, part, drawing, TRAINED)
            pictures += decode_latents(self.base, drawn)
            latents.append(drawn.float().numpy())
        return pictures, np.concatenate(latents)

    def _faults(self, pictures: Sequence[Picture], items: Sequence[Job]) -> list[list[str]]:
        return [list(self.world.judge(picture, prompt)) for picture, (prompt, _) in zip(pictures, items, strict=True)]


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
