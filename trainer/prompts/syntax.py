r"""Prompts with weights, in the syntax of AUTOMATIC1111's web UI, which most people's prompts are written in.

    (x)  1.1 times as strong        (x:1.3)  1.3 times
    [x]  1.1 times weaker           \( \) \[ \]  the characters themselves
    BREAK  what follows is read by itself

Brackets within brackets multiply. A bracket without its partner is text.
Source: the syntax as documented in the wiki of AUTOMATIC1111/stable-diffusion-webui ("Features", "Attention/emphasis").
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

STRONGER = 1.1
MOST_WEIGHT = 10.0
"""Anything beyond it only overflows half precision."""
SYMBOL = re.compile(r"\\[\\()\[\]]|[()\[\]]|[^\\()\[\]]+|\\")
NUMBER = re.compile(r":\s*([+-]?(?:\d+\.?\d*|\.\d+))\s*$")
ESCAPE = re.compile(r"^\\(?=.)")
BREAK = re.compile(r"\s*\bBREAK\b\s*")
PARTNER = {")": "(", "]": "["}


class Fragment(NamedTuple):
    """A piece of a prompt without syntax, and how strongly it is meant; 1 is neutral."""

    text: str
    weight: float = 1.0


Part = list[Fragment]
"""What stands between two BREAKs."""


def parse_prompt(prompt: str) -> list[Part]:
    r"""The parts of a prompt, at least one; a part without text only where the whole prompt has none.

    >>> parse_prompt("(red:1.5) BREAK [sky]")
    [[Fragment(text='red', weight=1.5)], [Fragment(text='sky', weight=0.9091)]]
    >>> parse_prompt(r"saber \(fate\) :)")
    [[Fragment(text='saber (fate) :)', weight=1.0)]]
    """
    parts: list[Part] = [[]]
    for text, weight in _fragments(SYMBOL.findall(prompt)):
        first, *others = BREAK.split(text)
        parts[-1].append(Fragment(first, weight))
        parts += [[Fragment(other, weight)] for other in others]
    said = [[one for one in part if one.text.strip()] for part in parts]
    return [part for part in said if part] or [[Fragment("")]]


def plain_text(parts: Sequence[Part]) -> str | None:
    """The text of a prompt in which nothing is weighted or split by BREAK; None for any other.

    >>> plain_text(parse_prompt("a red star")), plain_text(parse_prompt("a (red) star"))
    ('a red star', None)
    """
    if len(parts) == 1 and len(parts[0]) == 1 and parts[0][0].weight == 1:
        return parts[0][0].text
    return None


def _fragments(symbols: Sequence[str]) -> list[Fragment]:
    """The texts between the brackets, neighbours of one weight as one."""
    pairs, weights, found = _pairs(symbols), [1.0], list[Fragment]()
    closing = set(pairs.values())
    for place, symbol in enumerate(symbols):
        if place in pairs:
            weights.append(weights[-1] * _factor(symbols, pairs[place]))
        elif place in closing:
            weights.pop()
        else:
            is_last = place + 1 in closing and symbols[place + 1] == ")"
            text = NUMBER.sub("", symbol) if is_last else symbol
            weight = min(max(round(weights[-1], 4), 0.0), MOST_WEIGHT)
            before = found.pop().text if found and found[-1].weight == weight else ""
            found.append(Fragment(before + ESCAPE.sub("", text), weight))
    return found


def _pairs(symbols: Sequence[str]) -> dict[int, int]:
    """The place of each opening bracket's partner, by its own; brackets of the other kind between them are text."""
    opened, pairs = list[int](), dict[int, int]()
    for place, symbol in enumerate(symbols):
        if symbol in PARTNER.values():
            opened.append(place)
        elif symbol in PARTNER:
            own = [depth for depth, one in enumerate(opened) if symbols[one] == PARTNER[symbol]]
            if own:
                pairs[opened[own[-1]]] = place
                del opened[own[-1] :]
    return pairs


def _factor(symbols: Sequence[str], close: int) -> float:
    """How much stronger the brackets that close there make what is in them."""
    if symbols[close] == "]":
        return 1 / STRONGER
    number = NUMBER.search(symbols[close - 1])
    return float(number[1]) if number else STRONGER
