"""What several votes on one picture mean."""

import pytest

from feedback.pool.verdicts import Outcome, outcome, outcome_of_counts
from store.tables import Verdict


@pytest.mark.parametrize(
    ("votes", "expected"),
    [
        ([], Outcome.unrated),
        ([Verdict.skip, Verdict.undo], Outcome.unrated),
        ([Verdict.reject], Outcome.reject),
        ([Verdict.keep, Verdict.skip], Outcome.keep),
        ([Verdict.reject, Verdict.keep], Outcome.disputed),
        ([Verdict.reject, Verdict.keep, Verdict.undo], Outcome.disputed),
        ([Verdict.reject, Verdict.keep, Verdict.reject], Outcome.reject),
    ],
)
def test_the_majority_decides_and_a_tie_is_disputed(votes: list[Verdict], expected: Outcome) -> None:
    assert outcome(votes) is expected


@pytest.mark.parametrize(("rejects", "keeps"), [(3, 0), (0, 3), (1, 1), (0, 0)])
@pytest.mark.parametrize("ruled", [Verdict.reject, Verdict.keep])
def test_a_curators_verdict_counts_in_place_of_the_votes(rejects: int, keeps: int, ruled: Verdict) -> None:
    assert outcome_of_counts(rejects, keeps, ruled).value == ruled.value
