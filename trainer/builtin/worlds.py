"""What the build and the measure need of a drawn world: a module such as `trainer.world` has it."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from PIL import Image


class Captioned(Protocol):
    """`pixels` uint8 [N, 64, 64, 3] and the prompt of each."""

    @property
    def pixels(self) -> np.ndarray: ...
    @property
    def prompts(self) -> list[str]: ...


class World(Protocol):
    """A module of captioned 64x64 pictures, some of them wrong, and a judge that reads pixels."""

    def all_scenes(self, subject: str | None = None) -> Sequence[Any]:
        """Every scene that a prompt can ask for; each has a `subject`."""

    def phrasings(self, scene: Any) -> tuple[str, ...]:
        """Every prompt of a scene."""

    def read_prompt(self, prompt: str) -> Any | None:
        """The scene that a prompt asks for."""

    def default_prompts(self, per_subject: int = 33) -> list[str]:
        """Distinct prompts, the subjects in turn."""

    def pictures(self, count: int, faulty: float, seed: int) -> Captioned:
        """`count` pictures, each wrong with chance `faulty`."""

    def judge(self, picture: Image.Image, prompt: str) -> tuple[str, ...]:
        """The faults seen."""
