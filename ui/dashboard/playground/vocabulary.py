"""The words of the built-in model: it knows only those that it was taught with. Pure functions."""

import re
from collections.abc import Sequence

KINDS = {
    "things": ("hand", "flower", "star", "sign", "house", "cat"),
    "colours": ("red", "orange", "yellow", "green", "blue", "purple"),
    "backgrounds": ("cream", "mint", "sky", "pink", "lilac"),
    "words on a sign": ("GO", "HI", "OK", "UP"),
}
DETAILS = (
    "a an and against backdrop background big bow chimney door drawing face fingers five flower four house large "
    "little of on open petal petals picture points reading says six small that the tie two wearing windows with word"
)
KNOWN = frozenset(word.lower() for words in KINDS.values() for word in words) | frozenset(DETAILS.split())
EXAMPLES = (
    "a big red star on a cream background",
    "a blue hand with five fingers, mint background",
    "a purple cat wearing a bow tie, sky background",
)


def unknown_words(prompt: str) -> list[str]:
    """The words of a prompt that the built-in model was not taught, in their order.

    >>> unknown_words("A red castle, and a (RED:1.2) dragon BREAK on the castle")
    ['castle', 'dragon']
    """
    words = re.findall(r"[^\W\d]\w*", re.sub(r"\bBREAK\b", " ", prompt).lower())
    return [word for word in dict.fromkeys(words) if word not in KNOWN]


def known_sentence() -> str:
    """What the built-in model knows."""
    kinds = "; ".join(f"{kind}: {', '.join(words)}" for kind, words in KINDS.items())
    return f"the built-in model knows {kinds}"


def unknown_sentence(words: Sequence[str]) -> str:
    """
    >>> unknown_sentence(["castle", "dragon"])
    'The built-in model does not know “castle” and “dragon”, so it would draw something else.'
    """
    quoted = [f"“{word}”" for word in words]
    named = f"{', '.join(quoted[:-1])} and {quoted[-1]}" if len(quoted) > 1 else quoted[0]
    return f"The built-in model does not know {named}, so it would draw something else."
