"""Which pictures are held out of training, to measure it."""

import hashlib

from store.tables import Split

HELD_OUT_SHARE = 0.1


def split_of(prompt: str, seed: int) -> Split:
    """Held out or not. It depends only on prompt and seed, so that a picture never changes sides.

    >>> split_of("a red star", 7) == split_of("a red star", 7)
    True
    """
    digest = hashlib.sha256(f"{prompt}\n{seed}".encode()).digest()
    return Split.held_out if int.from_bytes(digest[:4]) < HELD_OUT_SHARE * 2**32 else Split.train
