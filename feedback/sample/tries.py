"""Tries: the drawings of one prompt and seed, each from its own noise, of which the best is kept."""

import hashlib
from typing import NamedTuple

from feedback.check.version_check import VersionCheck
from feedback.pool.counts import POOLED
from feedback.sample.work import Work
from store.settings import Settings
from store.tables import Version


class Tries(NamedTuple):
    """Which drawing of a picture was kept, from 1 on, and the check's score of each; higher is worse.

    Without a check there is one drawing and no score.
    """

    kept: int = 1
    scores: tuple[float, ...] = ()

    @property
    def score(self) -> float | None:
        """The score of the drawing that was kept."""
        return self.scores[self.kept - 1] if self.scores else None


def tries_words(tries: Tries) -> str:
    """Which drawing was kept, for people.

    >>> tries_words(Tries(2, (0.3, 0.1, 0.2))), tries_words(Tries(1, (0.1,)))
    ('try 2 of 3', 'first try')
    """
    return f"try {tries.kept} of {len(tries.scores)}" if len(tries.scores) > 1 else "first try"


class Redraw(NamedTuple):
    """A picture is drawn again while its lowest score is above `cut`, `most` times in all; with 1 it is only scored."""

    most: int
    cut: float


def best_of(number: int) -> Redraw:
    """So many drawings of every picture."""
    return Redraw(number, float("-inf"))


def seed_of_try(seed: int, number: int) -> int:
    """The seed of a try's noise, 0 to 2**63 - 1; the first try's is the picture's own.

    >>> seed_of_try(7, 1), seed_of_try(7, 2)
    (7, 4910021442178799501)
    """
    return seed if number == 1 else _bits(f"{seed} {number}")


def is_checked(seed: int, share: float) -> bool:
    """Whether the picture with this seed is among the share of the rating queue that may be drawn again.

    >>> sum(is_checked(seed, 0.25) for seed in range(1000))
    230
    """
    return _bits(f"{seed} checked") < share * 2**63


def _bits(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) >> 1


def cut_of(version: Version) -> float | None:
    """The score above which pictures of a version are drawn again; None where it has no check, or its check is off."""
    check = VersionCheck.of(version)
    return check.cut if check and check.is_on else None


def redraw_of(version: Version, most: int) -> Redraw | None:
    """How pictures of a version are drawn again, at most `most` drawings in all; None: they are drawn once, unseen."""
    cut = cut_of(version)
    return Redraw(most, cut) if cut is not None and most else None


def why_once(version: Version) -> str:
    """Why pictures of a version are drawn only once, in a sentence; empty where its check looks at them."""
    if cut_of(version) is not None:
        return ""
    check = VersionCheck.of(version)
    return f"v{version.number} draws each picture once: {check.off if check and check.off else 'it has no check'}"


def tries_allowed(settings: Settings) -> int:
    """How often a picture may be drawn, the first time included; 0: the check is switched off."""
    return 1 + settings.tries if settings.tries else 0


def most_tries(settings: Settings, work: Work) -> int:
    """How often a picture of the loop may be drawn; 0: the check does not even look at it.

    In the rating queue most pictures are drawn once: a pool of the best pictures holds too few mistakes.
    """
    most = tries_allowed(settings)
    is_open = work.origin not in POOLED or is_checked(work.seed, settings.checked_share)
    return most if is_open else min(most, 1)
