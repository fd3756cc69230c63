"""What a fit is given, and how it fills in settings that were left empty."""

from dataclasses import dataclass, replace
from typing import Any

from feedback.retrain.manifest import FrozenManifest
from store.settings import Settings
from trainer.base.model import Base
from trainer.fit.cache import Cache

STEPS_PER_PICTURE, MOST_STEPS = 3, 1800
"""On few pictures, more steps only memorise those pictures."""


@dataclass(frozen=True)
class Training:
    """The base model, the encoded pictures and prompts, the training set and the settings."""

    base: Base
    cache: Cache
    manifest: FrozenManifest
    settings: Settings

    def with_settings(self, **changes: Any) -> "Training":
        """The same training under changed settings."""
        return replace(self, settings=self.settings.model_copy(update=changes))


def choose_steps(settings: Settings, pictures: int) -> Settings:
    """The settings with the number of steps for so many rated pictures, unless they name one.

    >>> choose_steps(Settings(), 200).train_steps, choose_steps(Settings(), 9_000).train_steps
    (600, 1800)
    >>> choose_steps(Settings(train_steps=40), 200).train_steps
    40
    """
    steps = settings.train_steps or max(1, min(STEPS_PER_PICTURE * pictures, MOST_STEPS))
    return settings.model_copy(update={"train_steps": steps})


def choose_anchor(settings: Settings) -> float:
    """The weight of the term that keeps everything else at the base's prediction."""
    return settings.anchor if settings.anchor is not None else (4.0 if settings.objective == "trigger" else 1.0)
