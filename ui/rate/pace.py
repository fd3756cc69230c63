"""How fast one name may vote, and how many pictures new names of one address may hold."""

import math
import time
from collections.abc import Callable
from functools import cache

from feedback.rate.raters import clean_name
from store.errors import TooFast
from store.settings import Settings
from store.texts import name_key

A_SECOND = 8.0
"""Votes a second that are always taken: a grid of 36 in four and a half seconds, again and again."""
BURST = 600
"""Votes taken at once after a rest, such as those of a browser that was offline. More than one request may hold."""
FULL_HANDS = 64
"""So many names of one address without a vote get as many pictures as they ask for; further ones get one at a time."""
FORGET_S = 600


class Pace:
    """The votes that each name may send now. Kept in memory: it limits a flood, and a restart forgives it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.spent: dict[str, tuple[float, float]] = {}  # name: votes above the pace, and when that was

    def take(self, rater: str, votes: int) -> None:
        """Lets the votes through. Raises TooFast, which says when they will be taken."""
        name, now = name_key(clean_name(rater)), self.clock()
        spent = self._spent(name, now) + votes
        if spent > BURST:
            raise TooFast(rater, math.ceil((spent - BURST) / A_SECOND))
        self.spent[name] = (spent, now)
        if len(self.spent) > 1000:
            self.spent = {known: row for known, row in self.spent.items() if self._spent(known, now) > 0}

    def _spent(self, name: str, now: float) -> float:
        spent, since = self.spent.get(name, (0.0, now))
        return max(0.0, spent - A_SECOND * (now - since))


class Newcomers:
    """The names of each address that asked for pictures and have not voted, where any name will do to sign in."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.asked: dict[str, dict[str, float]] = {}  # address: name: when it last asked

    def hand(self, address: str, rater: str, count: int) -> int:
        """How many of `count` pictures this name may hold before its first vote."""
        name, now = name_key(clean_name(rater)), self.clock()
        names = {known: at for known, at in self.asked.get(address, {}).items() if at > now - FORGET_S}
        if name not in names and len(names) >= FULL_HANDS:
            return 1
        names[name] = now
        self.asked[address] = names
        return count


@cache
def pace_of(_settings: Settings) -> Pace:
    """The pace of a store's raters in this process."""
    return Pace()


@cache
def newcomers_of(_settings: Settings) -> Newcomers:
    """The newcomers of a store in this process."""
    return Newcomers()
