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
    return f"it should be {_choice(field) or ('yes or no' if kind.startswith('bool') else 'a text')}"


def _choice(field: FieldInfo) -> str:
    """The words that a setting can be; empty for one that is no choice.

    >>> from typing import Literal
    >>> _choice(FieldInfo(annotation=Literal["auto", "fp32", "fp16"] | None))
    'auto, fp32 or fp16'
    """
    kinds = (field.annotation, *kinds_of(field.annotation))
    words = [word for kind in kinds for word in get_args(kind) if isinstance(word, str)]
    return f"{', '.join(words[:-1])} or {words[-1]}" if words else ""


def number_words(field: FieldInfo) -> str:
    """What number a setting can be.

    >>> from pydantic import Field
    >>> number_words(FieldInfo.from_annotated_attribute(int, Field(8, ge=8, le=8192, multiple_of=8)))
    'a whole number from 8 to 8192, a multiple of 8'
    >>> number_words(FieldInfo.from_annotated_attribute(float, Field(0.8, gt=0, lt=1)))
    'a number, above 0, below 1'
    """
    limits = {name: getattr(limit, name) for limit in field.metadata for name in LIMITS if hasattr(limit, name)}
    words = "a whole number" if int in kinds_of(field.annotation) else "a number"
    if {"ge", "le"} <= set(limits):
        words += f" from {limits.pop('ge')} to {limits.pop('le')}"
    return words + "".join(f", {LIMITS[name]} {limit}" for name, limit in limits.items())
