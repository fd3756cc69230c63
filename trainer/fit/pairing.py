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


@cache
def words_of(prompt: str) -> frozenset[str]:
    """The words of a prompt without order, case and punctuation.

    >>> sorted(words_of("A red star, on a RED sky"))
    ['a', 'on', 'red', 'sky', 'star']
    """
    return frozenset(re.findall(r"\w+", prompt.casefold()))


def similarity(first: str, second: str) -> float:
    """The share of the words of two prompts that both have, 0 to 1 (Jaccard 1912).

    >>> similarity("a red star", "a blue star"), similarity("a red star", "a red star")
    (0.5, 1.0)
    """
    ours, theirs = words_of(first), words_of(second)
    return len(ours & theirs) / max(1, len(ours | theirs))


def is_like(first: str, second: str) -> bool:
    """Whether two prompts share words, but not all: with all they may ask for the same picture, with none a picture of
    one would teach nothing about the other.

    >>> is_like("a red star", "a blue star"), is_like("A red star.", "a red star"), is_like("a red star", "two cats")
    (True, False, False)
    """
    return 0 < similarity(first, second) < 1


def most_like(prompt: str, others: Sequence[str]) -> str:
    """The most similar of the other prompts; the first of several."""
    return max(others, key=lambda other: similarity(prompt, other))
