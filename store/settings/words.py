"""What is wrong with a setting's value, in words."""

from collections.abc import Mapping
from typing import Any, get_args

from pydantic.fields import FieldInfo

from store.settings.checks import kinds_of

LIMITS = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below", "multiple_of": "a multiple of"}
OF_NUMBERS = ("int", "float", "finite", "greater", "less", "multiple")
"""How pydantic's names begin of the faults that only a number can have."""


def why(fault: Mapping[str, Any], field: FieldInfo) -> str:
    """What a value should be, or what it holds, to follow "it cannot be used: "."""
    kind = fault["type"]
    if kind == "value_error":
        return str(fault["ctx"]["error"])
    if kind == "string_pattern_mismatch":
        return f"it should be {field.description}"
    if kind.startswith(OF_NUMBERS):
        point = ", with a point instead of the comma" if "," in str(fault["input"]) else ""
        return f"it should be {number_words(field)}{point}"
    return f"it should be {_choice(field) or 'a text'}"


def choices_of(field: FieldInfo) -> list[str]:
    """The words that a setting can be; none for one that is no choice."""
    if bool in kinds_of(field.annotation):
        return ["yes", "no"]
    kinds = (field.annotation, *kinds_of(field.annotation))
    return [word for kind in kinds for word in get_args(kind) if isinstance(word, str)]


def _choice(field: FieldInfo) -> str:
    """The words that a setting can be, in words; empty for one that is no choice.

    >>> from typing import Literal
    >>> _choice(FieldInfo(annotation=Literal["auto", "fp32", "fp16"] | None))
    'auto, fp32 or fp16'
    """
    words = choices_of(field)
    return f"{', '.join(words[:-1])} or {words[-1]}" if words else ""


def allowed_words(field: FieldInfo, *, in_percent: bool = False) -> str:
    """What a value may be.

    >>> from pydantic import Field
    >>> share = FieldInfo.from_annotated_attribute(float, Field(0.05, ge=0, le=0.5))
    >>> allowed_words(share), allowed_words(share, in_percent=True)
    ('a number from 0 to 0.5', 'from 0 to 50 %')
    """
    if in_percent:
        limits = _limits(field)
        low = f"above {100 * limits['gt']:g}, at most" if "gt" in limits else f"from {100 * limits['ge']:g} to"
        return f"{low} {100 * limits['le']:g} %"
    return _choice(field) or number_words(field)


def _limits(field: FieldInfo) -> dict[str, float]:
    return {name: getattr(limit, name) for limit in field.metadata for name in LIMITS if hasattr(limit, name)}


def number_words(field: FieldInfo) -> str:
    """What number a setting can be.

    >>> from pydantic import Field
    >>> number_words(FieldInfo.from_annotated_attribute(int, Field(8, ge=8, le=8192, multiple_of=8)))
    'a whole number from 8 to 8192, a multiple of 8'
    >>> number_words(FieldInfo.from_annotated_attribute(float, Field(0.8, gt=0, lt=1)))
    'a number, above 0, below 1'
    """
    limits = _limits(field)
    words = "a whole number" if int in kinds_of(field.annotation) else "a number"
    if {"ge", "le"} <= set(limits):
        words += f" from {limits.pop('ge')} to {limits.pop('le')}"
    return words + "".join(f", {LIMITS[name]} {limit}" for name, limit in limits.items())
