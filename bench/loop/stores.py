"""The stores of one replicate: pictures are drawn once, rated in several ways, and each objective trains on them."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench.loop.simulate import Habits, simulate
from bench.loop.worlds import PROMPTS_A_SUBJECT, World, world_settings
from feedback.sample.evaluation import FIRST_EVALUATION_SEED
from feedback.sample.prompts import add_prompts
from feedback.sample.work import Job
from feedback.versions import get_version, promote
from store.migrate import open_store
from store.settings import Settings
from store.tables import Version

RATERS = 2
OTHER_ITEMS = 1000
"""Added to a replicate's seed, it gives prompts and seeds that are neither rated nor evaluated."""
HABITS: dict[str, Callable[[float], Habits]] = {
    "votes": lambda rate: Habits(rate),
    "random": lambda rate: Habits(0.0, blind_share=0.4),
    "noisy": lambda rate: Habits(0.2),
    "without": lambda rate: Habits(rate),
}
"""How raters vote: with few slips; at random, so that the rejects are any of the base's pictures; often wrongly; blind
to one fault."""
TRAINED_BY = {"random": "sft", "noisy": "nft", "without": "nft"}
"""The objective that trains on those votes; every other kind has its objective's name."""
CHECKED_KINDS = ("nft", "random", "noisy")
"""The kinds whose checks a row uses; the others are not cross-fitted, which spares half their steps."""


@dataclass(frozen=True)
class Stores:
    """Makes each store of a world inside `folder` when it is first needed; `seed` is the replicate's."""

    world: World
    settings: Settings
    folder: Path
    seed: int
    votes: int
    error_rate: float

    def trained(self, kind: str, round_: int = 1) -> tuple[Settings, Version]:
        """The store after so many rounds of rating, training and promotion with that kind, and its newest version."""
        settings = self._settings(f"{kind}-{round_}", kind)
        self._built(settings, lambda: self._retrain(settings, kind, round_))
        return settings, get_version(open_store(settings), round_)

    def _retrain(self, settings: Settings, kind: str, round_: int) -> None:
        from trainer.retrain.retrain import retrain

        habits = kind if kind in HABITS else "votes"
        before = self.trained(kind, round_ - 1)[0] if round_ > 1 else self.rated(kind)
        shutil.copytree(before.data_dir, settings.data_dir)
        if round_ > 1:
            self._vote(settings, habits, round_)
        number = retrain(settings, force=True).version
        assert number == round_
        promote(open_store(settings), number, "promoted by the simulation")

    def rated(self, kind: str) -> Settings:
        """The rated store that a first retrain of that kind trains on."""
        habits = kind if kind in HABITS else "votes"
        settings = self._settings(habits, habits)

        def vote() -> None:
            shutil.copytree(self._drawn(habits).data_dir, settings.data_dir)
            self._vote(settings, habits, 1)

        return self._built(settings, vote)

    def _vote(self, settings: Settings, habits: str, round_: int) -> None:
        simulate(settings, RATERS, self.votes, self._habits(habits, round_), retrain_when_due=False)

    def _habits(self, habits: str, round_: int) -> Habits:
        unseen = self.world.unseen.fault if habits == "without" else ""
        return replace(
            HABITS[habits](self.error_rate), world=self.world, seed=self.seed * 10 + round_, unseen_fault=unseen
        )

    def _drawn(self, habits: str) -> Settings:
        is_whole = habits != "without"
        settings = self._settings("drawn" if is_whole else "drawn-without", habits)
        settings = settings.model_copy(update={"queue_target": self.votes})
        subjects = [s for s in self.world.subjects if is_whole or s != self.world.unseen.subject]

        def draw() -> None:
            from trainer.sample.worker import generate

            add_prompts(open_store(settings), rated_prompts(self.world, self.seed, subjects), source="bench")
            generate(settings, once=True)

        return self._built(settings, draw)

    def _settings(self, name: str, kind: str) -> Settings:
        objective = TRAINED_BY.get(kind, kind if kind not in HABITS else "nft")
        changes = {
            "data_dir": self.folder / name / "data",
            "objective": objective,
            "seed": self.seed,
            "cross_fit": self.settings.cross_fit and kind in CHECKED_KINDS,
        }
        return world_settings(self.world, self.settings).model_copy(update=changes)

    def _built(self, settings: Settings, build: Callable[[], None]) -> Settings:
        """The settings of a store, which is built unless it is ready; a half-built one is built again from scratch."""
        place = settings.data_dir.parent
        if not (place / "ready").exists():
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir(parents=True)
            build()
            (place / "ready").touch()
        return settings


def evaluation_items(world: World, seed: int, prompts: int, seeds: int, subjects: Sequence[str] = ()) -> list[Job]:
    """Prompts that the replicate does not rate, each with so many seeds, which no picture of the loop has."""
    asked = world.prompts(1000 + seed, prompts, subjects or world.subjects, rated_prompts(world, seed % OTHER_ITEMS))
    first = FIRST_EVALUATION_SEED + 10_000 * (seed + 1)
    return [Job(prompt, first + k * seeds + s) for k, prompt in enumerate(asked) for s in range(seeds)]


def rated_prompts(world: World, seed: int, subjects: Sequence[str] = ()) -> list[str]:
    """The prompt list that a replicate's raters see pictures of."""
    subjects = subjects or world.subjects
    return world.prompts(seed, len(subjects) * PROMPTS_A_SUBJECT, subjects, ())
