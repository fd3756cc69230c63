"""Which votes look like slips: those that a check contradicts whose LoRA was not trained on them."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

SURE = 0.6
"""At this value 35 of 54 wrong votes were found by asking again about 14 % of all votes (built-in world)."""
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

    A vote looks like one when the other verdict has a chance of SURE or more, and the picture is on that side of the
    average chance. So a check that is unsure of everything, or a store with few rejects, does not make every vote
    suspicious. The scores come from cross-fitting, because a model remembers a wrong label that it was trained on
    (Northcutt, Jiang and Chuang 2021; Feldman and Zhang 2020).
    """
    average = float(np.mean([vote.chance for vote in votes])) if votes else 0.0
    doubted = [
        vote
        for vote in votes
        if vote.may_be_asked and vote.contradiction >= SURE and (vote.chance < average) == vote.is_reject
    ]
    most = max(0, int(share * len(votes)) - before)
    return sorted(doubted, key=lambda vote: (-vote.contradiction, vote.vote_id))[:most]
