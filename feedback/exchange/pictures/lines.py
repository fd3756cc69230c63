"""What is known of a picture, as a line of text or of JSON."""

from typing import Any

from feedback.exchange.pictures.outcome import Seen
from feedback.exchange.pictures.recording import storable

FIELDS = (
    "status",
    "prompt",
    "negative_prompt",
    "seed",
    "tool",
    "base",
    "why",
    "model",
    "model_hash",
    "steps",
    "sampler",
    "guidance_scale",
    "width",
    "height",
    "prompt_2",
)


def as_object(seen: Seen) -> dict[str, Any]:
    """The object of `--dry-run --json`."""
    found = seen.found
    loras = [{"name": _shown(lora.name), "strength": lora.strength} for lora in found.loras]
    return (
        {"file": _shown(seen.entry.name), "outcome": str(seen.outcome)}
        | {name: _shown(getattr(found, name)) for name in FIELDS}
        | {"loras": loras, "marks": [str(mark) for mark in found.marks]}
    )


def as_line(seen: Seen) -> str:
    """The line of `--dry-run`."""
    return f"{seen.entry.name}: {seen.found.status}, {seen.outcome}{seen.found.why and f': {seen.found.why}'}"


def _shown(value: object) -> object:
    """A text as the store would hold it, so that every program can read the line."""
    return storable(value) if isinstance(value, str) else value
