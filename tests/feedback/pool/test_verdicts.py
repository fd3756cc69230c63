"""What several votes on one picture mean."""

import pytest

from feedback.pool.verdicts import Outcome, outcome
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
