"""What a reject is compared with: a keep of a similar prompt, or the same picture under the prompt that it follows.

Without the first, a LoRA learns above all which prompts are rejected, and that steers nothing. The second needs no
further vote: a picture that raters kept shows what its own prompt asks for, so under a similar prompt, with another
colour or number, it would be wrong. Source: hard negative captions (Yuksekgonul et al. 2023, NegCLIP), here with the
prompts of the pool.
"""

import re
from collections.abc import Sequence
from functools import cache

CANDIDATES = 64
"""Drawn at random, of which the most similar is taken: enough to find one that is close, and in a pool of some hundred
not always the same."""
NUMBERS = {
    "0": "zero", "1": "one", "2": "two", "3": "three", "4": "four", "5": "five", "6": "six", "7": "seven", "8": "eight",
    "9": "nine", "10": "ten", "11": "eleven", "12": "twelve",
}  # fmt: skip


@cache
def words_of(prompt: str) -> frozenset[str]:
    """The words of a prompt without order, case and punctuation.

    >>> sorted(words_of("A red star, on a RED sky"))
    ['a', 'on', 'red', 'sky', 'star']
    """
    return frozenset(re.findall(r"\w+", prompt.casefold()))


STOP_WORDS = words_of(
    "a an the this that these those some and or but of in on at by to from with without into onto against as for is "
    "are was were be being been it its he his she her they their there which who very s "
    "picture image photo photograph background backdrop"
)
"""They say nothing of what is to be seen; the last ones because nearly every prompt may be phrased with them."""


@cache
def content_of(prompt: str) -> tuple[str, ...]:
    """What a prompt asks to see: its words in order, each once, without STOP_WORDS, with figures as words and without
    the ends that a plural changes.

    >>> content_of("3 red Stars, on boxes and a box"), content_of("three cherries, one cherry")
    (('thre', 'red', 'star', 'box'), ('thre', 'cherri', 'on'))
    """
    words = (word for word in re.findall(r"\w+", prompt.casefold()) if word not in STOP_WORDS)
    return tuple(dict.fromkeys(_stem(NUMBERS.get(word, word)) for word in words))


def _stem(word: str) -> str:
    """A word without the ends that a plural changes.

    >>> [_stem(word) for word in ("glasses", "glass", "horse", "puppies", "puppy")]
    ['glass', 'glass', 'hors', 'puppi', 'puppi']
    """
    return re.sub(r"y$", "i", re.sub(r"e$", "", re.sub(r"(?<=[^s])s$", "", word)))


def similarity(first: str, second: str) -> float:
    """The share of the words of two prompts that both have, 0 to 1 (Jaccard 1912).

    >>> similarity("a red star", "a blue star"), similarity("a red star", "a red star")
    (0.5, 1.0)
    """
    ours, theirs = words_of(first), words_of(second)
    return len(ours & theirs) / max(1, len(ours | theirs))


def asks_for_another(first: str, second: str) -> bool:
    """Whether a right picture of one prompt is taken to be a wrong one of the other, although they share words.

    Each must ask for something that the other does not name: with only one such prompt, "a star" and "a red star", one
    picture may follow both. And what both name must come in the same order; in another order, "a star above a hand"
    and "a hand below a star", they may say the same in two ways.

    It sees only words. So it takes for different things: synonyms (big and large), irregular plurals (mouse, mice),
    slips of the pen, and words that do not exclude each other (a sunny beach, a beach with palms; quality tags). It
    misses prompts that differ only in the order of their words (a dog on a cat, a cat on a dog), in a word that only
    one of them has (a cat, a cat without ears), or in a script without spaces.

    >>> asks_for_another("a red star", "a blue star"), asks_for_another("3 Cats.", "three cats")
    (True, False)
    """
    ours, theirs = content_of(first), content_of(second)
    shared = [word for word in ours if word in theirs]
    return (
        similarity(first, second) > 0
        and len(shared) < min(len(ours), len(theirs))
        and shared == [word for word in theirs if word in ours]
    )


def most_like(prompt: str, others: Sequence[str]) -> str:
    """The most similar of the other prompts; the first of several."""
    return max(others, key=lambda other: similarity(prompt, other))
