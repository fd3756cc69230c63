"""Which votes look like slips: those that a check which was not trained on them contradicts strongly."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

BUDGET = 0.15
"""Largest share of the votes that is looked at again, over the life of a store."""


class ScoredVote(NamedTuple):
    """A vote, and the chance of a reject that a check gives which was not trained on the picture.

    `may_be_asked` is false where two raters have judged the picture, and where somebody looked at it again before.
    """

    vote_id: int
    is_reject: bool
    chance: float
    may_be_asked: bool = True

    @property
    def contradiction(self) -> float:
        """The chance of the other verdict."""
        return 1 - self.chance if self.is_reject else self.chance


def find_slips(votes: Sequence[ScoredVote], before: int = 0, share: float = BUDGET) -> list[ScoredVote]:
    """The votes that look like slips, the most contradicted first; together with the `before` that were looked at
    again, at most `share` of all.

    A reject looks like one when its chance of being a keep is at least what keeps have on average; a keep when its
    chance of being a reject is at least what rejects have on average. So a check that is unsure of everything, or
    a store with few rejects, does not make every vote suspicious. Source: confident learning (Northcutt, Jiang and
    Chuang 2021, the off-diagonal of the confident joint), with predictions by cross-fitting, so that no vote vouches
    for itself (Feldman and Zhang 2020: a model remembers a wrong label that it was trained on).
    """
    usual = {kind: _mean_chance(votes, kind) for kind in (True, False)}
    doubted = [
        vote
        for vote in votes
        if vote.may_be_asked and vote.contradiction >= (1 - usual[False] if vote.is_reject else usual[True])
    ]
    most = max(0, int(share * len(votes)) - before)
    return sorted(doubted, key=lambda vote: (-vote.contradiction, vote.vote_id))[:most]


def _mean_chance(votes: Sequence[ScoredVote], is_reject: bool) -> float:
    chances = [vote.chance for vote in votes if vote.is_reject is is_reject]
    return float(np.mean(chances)) if chances else 2.0 if is_reject else -1.0
