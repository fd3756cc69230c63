"""What a version carries: how it was made, and how it draws."""

from dataclasses import dataclass, field, fields
from typing import Self

from store.settings import Settings
from store.tables import Version

TRIGGERED = ("wrong", "trigger")
"""Objectives that train with the trigger word."""


@dataclass(frozen=True)
class Recipe:
    """One version's recipe. A default is what the absence of that key means in an older version.

    `negative_prompt` is its own, None where it draws with the base's. `imported_from` is the name of the file that it
    was imported from, empty where it was trained here. `model_revision` and the refiner belong to its base; `sampler`
    (diffusers' class), steps and `guidance_interval` are those its strength was chosen with.
    `base_parts`, the hashes of the base's parts, are kept with v0 only, as are `base_quantization` and `vae_decode`:
    how the store's pictures are drawn.
    """

    rule: str
    strength: float
    objective: str = ""
    lora_rank: int | None = None
    lora_text_encoders: bool = False
    trigger: str = ""
    guidance_gain: float = 0.0
    negative_prompt: str | None = None
    imported_from: str = ""
    imported_modules: int = 0
    text_encoder_modules_left_out: int = 0
    other_keys_left_out: int = 0
    imported_names: str = ""
    model_revision: str = ""
    refiner: str = ""
    refiner_start: float | None = None
    sampler: str = ""
    num_inference_steps: int | None = None
    guidance_interval: str = ""
    base_parts: dict[str, str] = field(default_factory=dict)
    base_quantization: str = ""
    vae_decode: str = ""

    @classmethod
    def of(cls, version: Version) -> Self:
        """The recipe of a version; keys that this program does not know are left out."""
        names = {one.name for one in fields(cls)} - {"rule", "strength"}
        carried = {name: value for name, value in version.settings.items() if name in names}
        return cls(version.rule, version.strength, **carried)

    @classmethod
    def asked(cls, settings: Settings, strength: float) -> Self:
        """The recipe that a version trained under these settings gets, at a strength; 0 draws the plain base."""
        rule = settings.rule if strength else "plain"
        return cls(rule, strength, settings.objective, trigger=settings.trigger, guidance_gain=settings.guidance_gain)

    @property
    def has_trigger(self) -> bool:
        """Whether a word in the negative prompt steers by the LoRA, even where the LoRA is on every row."""
        return self.rule == "woolf" or self.objective in TRIGGERED or bool(self.negative_prompt)

    @property
    def trigger_word(self) -> str:
        """The word for what the version draws, in tools that use it in a prompt."""
        return self.negative_prompt or self.trigger or "wrong"
