"""All that decides a picture besides prompt, seed and version: only pictures drawn alike in it are compared."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Self

from sqlmodel import Session, col, select

from store.tables import DrawnUnder, Image, Origin

Key = tuple[int, int]
"""Prompt id and seed of an evaluation picture."""


@dataclass(frozen=True)
class Conditions:
    """How the plain base draws. None: an earlier program, which drew the picture, did not record it.

    Guidance scale and negative prompt are the base's, before a version's rule and strength change them. `tries`, how
    often a picture may be drawn, is None for a version without a check, which draws once whatever it is. Without a
    `guidance_interval` every noise level has guidance, as in every earlier program. `is_compiled` is True or None: it
    changes a picture by no more than rounding, so it parts no comparison.
    """

    num_inference_steps: int | None = None
    width: int | None = None
    height: int | None = None
    guidance_scale: float | None = None
    negative_prompt: str | None = None
    dtype: str | None = None
    base_quantization: str | None = None
    vae_decode: str | None = None
    scheduler: str | None = None
    prediction: str | None = None
    vae: str | None = None
    refiner: str | None = None
    tries: int | None = None
    prompt_weighting: str | None = None
    guidance_interval: str | None = None
    is_compiled: bool | None = None

    @property
    def body(self) -> str:
        """What is recorded, as JSON: the same for the same conditions."""
        return json.dumps({name: value for name, value in asdict(self).items() if value is not None}, sort_keys=True)

    @classmethod
    def of(cls, body: str) -> Self:
        known = {field.name for field in fields(cls)}
        return cls(**{name: value for name, value in json.loads(body).items() if name in known})


UNKNOWN = Conditions()
WORDS = {
    "num_inference_steps": "steps",
    "width": "width",
    "height": "height",
    "guidance_scale": "guidance scale",
    "negative_prompt": "negative prompt",
    "prompt_weighting": "way of reading prompts",
    "dtype": "precision",
    "base_quantization": "quantization of the base",
    "vae_decode": "way of decoding",
    "scheduler": "scheduler",
    "prediction": "prediction type",
    "vae": "VAE",
    "refiner": "refiner",
    "tries": "number of tries",
    "guidance_interval": "noise levels with guidance",
}
"""The conditions that keep pictures from being compared, for people."""
ALWAYS_KNOWN = ("guidance_interval",)
"""Conditions whose absence says something."""


def differences(one: Conditions, other: Conditions) -> list[str]:
    """What differs between two conditions, in words; what one of them does not know is taken to be the same.

    >>> differences(Conditions(width=64, dtype="bf16"), Conditions(width=96))
    ['width']
    """
    pairs = ((name, getattr(one, name), getattr(other, name)) for name in WORDS)
    known = ((name, a, b) for name, a, b in pairs if name in ALWAYS_KNOWN or (a is not None and b is not None))
    return [WORDS[name] for name, a, b in known if a != b]


def is_alike(one: Conditions, other: Conditions) -> bool:
    """Whether pictures drawn under these conditions may be compared."""
    return not differences(one, other)


def conditions_id(session: Session, conditions: Conditions) -> int | None:
    """The row of these conditions, added when it is new; None for unknown ones. Inside a `writing` block."""
    if conditions == UNKNOWN:
        return None
    found = session.exec(select(DrawnUnder).where(DrawnUnder.body == conditions.body)).first()
    if found is None:
        found = DrawnUnder(body=conditions.body)
        session.add(found)
        session.flush()
    return found.id


def load_conditions(session: Session) -> dict[int | None, Conditions]:
    """All recorded conditions by their rows; None gives unknown ones."""
    rows = session.exec(select(DrawnUnder).order_by(col(DrawnUnder.id)))
    return {None: UNKNOWN} | {row.id: Conditions.of(row.body) for row in rows}


def any_alike(conditions: Conditions, others: Iterable[Conditions]) -> bool:
    """Whether some of the others may be compared with these."""
    return any(is_alike(conditions, other) for other in others)


def drawn_under(session: Session, version: int) -> dict[Key, list[Conditions]]:
    """The evaluation pairs that a version has drawn, and under which conditions."""
    known, found = load_conditions(session), defaultdict(list)
    columns = select(Image.prompt_id, Image.seed, Image.conditions_id)
    for prompt_id, seed, under in session.exec(
        columns.where(Image.version == version, Image.origin == Origin.evaluation)
    ):
        found[prompt_id, seed].append(known[under])
    return found


def must_draw(
    key: Key, own: Mapping[Key, list[Conditions]], others: Sequence[Mapping[Key, list[Conditions]]], now: Conditions
) -> bool:
    """Whether a version must draw a pair: it never did, or it and another it is compared with drew it differently."""
    if key not in own:
        return True
    if any_alike(now, own[key]):
        return False
    return any(key in other and not any(any_alike(one, other[key]) for one in own[key]) for other in others)
