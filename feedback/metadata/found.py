"""What is known of a picture that another program drew."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

UNKNOWN, SDXL = "unknown", "sdxl"
"""Words for a base model; the others are those of `feedback.metadata.bases`."""


class Status(StrEnum):
    """How far a picture's metadata tells what drew it."""

    ok = "ok"
    partial = "partial"
    unrecognised = "unrecognised"
    empty = "empty"
    not_sdxl = "not SDXL"
    grid = "grid"
    broken = "broken"


class Mark(StrEnum):
    """Why a picture can be rated and is out of training by default: its prompt and seed do not explain it."""

    img2img = "img2img"
    inpainted = "inpainted"
    upscaled = "upscaled"
    resized = "resized"
    regional = "regional"
    controlled = "controlled"
    refined = "refined"
    distilled = "distilled"
    styled = "styled"
    two_prompts = "two prompts"


class Lora(NamedTuple):
    """A LoRA that was added; no strength: the file does not say it."""

    name: str
    strength: float | None = None


@dataclass
class Draft:
    """What one program's metadata says, before the picture itself is asked.

    `prompt` is None where it is not known, and `why` then says why; an empty prompt is one. `prompt_2` is what SDXL's
    other text encoder read, where it was another text. `size` is the declared one, in pixels. `is_grid` says why the
    file is a grid. `base` is what the program says for sure; `likely_base` counts where nothing else tells it.
    """

    tool: str
    prompt: str | None = None
    negative_prompt: str = ""
    prompt_2: str = ""
    seed: int | None = None
    steps: int | None = None
    sampler: str = ""
    guidance_scale: float | None = None
    size: tuple[int, int] | None = None
    model: str = ""
    model_hash: str = ""
    base: str = ""
    likely_base: str = ""
    loras: list[Lora] = field(default_factory=list)
    marks: dict[Mark, str] = field(default_factory=dict)
    is_grid: str = ""
    why: str = ""

    def mark(self, mark: Mark, reason: str) -> None:
        """Sets a mark; the first reason stays."""
        self.marks.setdefault(mark, reason)


class RawText(NamedTuple):
    """A text of the file as it stood there, and where: a PNG keyword, an EXIF or XMP name, or a sidecar's ending."""

    place: str
    text: str


@dataclass(frozen=True)
class Found:
    """One picture. `width` and `height` are the pixels' (0 when they cannot be read), never the declared ones.

    `why` says in one sentence what is missing or wrong, and why the picture is out of training by default. `seed` is
    from 0 to 2**64 - 1.
    """

    status: Status
    why: str = ""
    tool: str = ""
    prompt: str | None = None
    negative_prompt: str = ""
    prompt_2: str = ""
    seed: int | None = None
    steps: int | None = None
    sampler: str = ""
    guidance_scale: float | None = None
    width: int = 0
    height: int = 0
    model: str = ""
    model_hash: str = ""
    base: str = UNKNOWN
    loras: tuple[Lora, ...] = ()
    marks: tuple[Mark, ...] = ()
    raw: tuple[RawText, ...] = ()

    @property
    def is_trainable(self) -> bool:
        """Whether prompt, seed and a base that is SDXL explain the picture, and nothing else had a part in it."""
        return self.status is Status.ok and self.base == SDXL and not self.marks
