"""Values as programs write them: JSON that no parser takes, numbers as text, names of files."""

import json
import math
import re
from functools import lru_cache
from typing import Any

from feedback.metadata.found import Lora

MOST_SEED = 2**64 - 1
EDGES = " \t\r\n\0\ufeff"
ENDINGS = re.compile(r"\.(safetensors|ckpt|pt|pth|gguf|sft|bin)$", re.I)
TAG = re.compile(r"<(?:lora|lyco|hypernet):([^:<>]+)(?::([^<>]*))?>", re.I)
SIZE = re.compile(r"(\d{1,6})\s*[x×,]\s*(\d{1,6})")


def load_json(text: object) -> Any:
    """The JSON value of a text; None where it is none. NaN, raw line breaks and what follows the value pass.

    >>> load_json('{"a": NaN, "b": "1\\\\n2"}\\0')
    {'a': nan, 'b': '1\\n2'}
    """
    if not isinstance(text, str):
        return text if isinstance(text, dict | list) else None
    return _parsed(text)


@lru_cache(maxsize=8)
def _parsed(text: str) -> Any:
    """Kept for a moment: several programs' readers look at the same text, and none changes what it finds."""
    bare = text.strip(EDGES)
    if not bare.startswith(("{", "[")):
        return None
    try:
        return json.JSONDecoder(strict=False).raw_decode(bare)[0]
    except (ValueError, RecursionError):
        return None


def as_dict(value: object) -> dict[str, Any]:
    """The object that a value or its JSON is; empty for anything else."""
    loaded = load_json(value)
    return loaded if isinstance(loaded, dict) else {}


def as_text(value: object) -> str:
    """A text without spaces at its ends; empty for what is none."""
    return value.strip(EDGES) if isinstance(value, str) else ""


def as_number(value: object) -> float | None:
    """A finite number, written as one or as text; None for anything else, and for true and false.

    >>> as_number("7,5"), as_number(" 7.5 "), as_number(True)
    (None, 7.5, None)
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def as_whole(value: object) -> int | None:
    """A whole number, exact up to 2**64; None for anything else.

    >>> as_whole("18446744073709551615"), as_whole(20.0), as_whole("20.5")
    (18446744073709551615, 20, None)
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and re.fullmatch(r"\s*-?\d{1,40}\s*", value):
        return int(value)
    number = as_number(value)
    return int(number) if number is not None and number.is_integer() and abs(number) < 2**53 else None


def as_seed(value: object) -> int | None:
    """A seed from 0 to 2**64 - 1; None for -1, which means "a random one", and for anything else."""
    seed = as_whole(value)
    return seed if seed is not None and 0 <= seed <= MOST_SEED else None


def as_steps(value: object) -> int | None:
    """A number of steps from 1 to 10,000."""
    steps = as_whole(value)
    return steps if steps is not None and 1 <= steps <= 10_000 else None


def as_size(width: object, height: object) -> tuple[int, int] | None:
    """Width and height in pixels, where both are sound."""
    found = as_whole(width), as_whole(height)
    return (found[0], found[1]) if found[0] and found[1] and min(found[0], found[1]) > 0 else None


def size_in(text: object) -> tuple[int, int] | None:
    """The size in a text like `1024x768` or `(1024, 768)`."""
    found = SIZE.search(text[:64]) if isinstance(text, str) else None
    return as_size(found[1], found[2]) if found else None


def model_name(value: object) -> str:
    """A model's name without its folder and ending; a text only.

    >>> model_name("SDXL/juggernautXL_v9.safetensors"), model_name("sd xl.1")
    ('juggernautXL_v9', 'sd xl.1')
    """
    if isinstance(value, dict):
        value = value.get("content") or value.get("name")
    if as_text(value).startswith("urn:air:"):
        return as_text(value)
    name = re.split(r"[\\/]", as_text(value))[-1]
    return ENDINGS.sub("", name)


def without_loras(text: str) -> tuple[str, list[Lora]]:
    """The prompt without its LoRA tags, and the LoRAs; the rest, weights too, stays as it is.

    >>> without_loras("a fox, <lora:ink:0.8> (red:1.2)")
    ('a fox,  (red:1.2)', [Lora(name='ink', strength=0.8)])
    """
    loras = [
        Lora(model_name(name), as_number(rest.split(":")[0]) if rest else None) for name, rest in TAG.findall(text)
    ]
    return (TAG.sub("", text).strip(EDGES) if loras else text.strip(EDGES)), loras
