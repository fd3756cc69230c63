"""The pool in two halves by prompt: what one half trains judges the other's pictures, which it has not seen."""

import hashlib

HALVES = 2


def half_of(prompt: str) -> int:
    """0 or 1. It depends only on the prompt, so that pictures of one prompt never stand on both sides.

    >>> [half_of(prompt) for prompt in ("a red star", "a green hand", "a dog")]
    [0, 0, 1]
    """
    return hashlib.sha256(f"half\n{prompt}".encode()).digest()[0] % HALVES
