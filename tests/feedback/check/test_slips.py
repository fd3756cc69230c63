"""Which votes look like slips."""

from feedback.check.slips import BUDGET, ScoredVote, find_slips


def votes(*chances: float, is_reject: bool, first: int = 1, may_be_asked: bool = True) -> list[ScoredVote]:
    return [ScoredVote(first + k, is_reject, chance, may_be_asked) for k, chance in enumerate(chances)]


KEEPS = votes(*[0.1] * 19, 0.85, is_reject=False)
REJECTS = votes(*[0.8] * 18, 0.3, 0.05, is_reject=True, first=101)


def test_a_strongly_contradicted_vote_of_either_kind_looks_like_a_slip_the_most_contradicted_first() -> None:
    assert [(vote.vote_id, vote.is_reject) for vote in find_slips(KEEPS + REJECTS)] == [
        (120, True),
        (20, False),
        (119, True),
    ]


def test_a_vote_is_not_a_slip_because_the_check_is_unsure_or_because_rejects_are_rare() -> None:
    unsure = votes(*[0.45, 0.55] * 20, is_reject=False) + votes(*[0.45, 0.55] * 20, is_reject=True, first=101)
    assert find_slips(unsure) == []
    rare = votes(*[0.1] * 95, is_reject=False) + votes(*[0.4] * 5, is_reject=True, first=101)
    assert find_slips(rare) == [], "a chance of 0.4 is what rejects have there"


def test_no_more_than_the_budget_is_asked_again_those_before_included() -> None:
    noise = votes(*[0.0, 1.0] * 50, is_reject=False) + votes(*[0.0, 1.0] * 50, is_reject=True, first=101)
    assert len(find_slips(noise)) == BUDGET * 200
    assert len(find_slips(noise, before=20)) == BUDGET * 200 - 20
    assert find_slips(noise, before=31) == []
    assert len(find_slips(noise, share=0.01)) == 2


def test_what_two_raters_judged_or_somebody_looked_at_again_is_not_asked_for() -> None:
    settled = votes(0.99, is_reject=False, first=900, may_be_asked=False)
    assert 900 not in [vote.vote_id for vote in find_slips(KEEPS + REJECTS + settled)]


def test_a_vote_must_be_contradicted_outright_and_beyond_what_is_usual() -> None:
    surer = votes(0.61, is_reject=False, first=300) + votes(0.59, is_reject=False, first=301)
    assert [vote.vote_id for vote in find_slips(KEEPS + REJECTS + surer)] == [120, 20, 119, 300]
    mostly_rejected = votes(*[0.9] * 40, is_reject=True) + votes(0.65, is_reject=False, first=101)
    assert find_slips(mostly_rejected) == [], "that chance is low there"


def test_no_votes_give_no_slips() -> None:
    assert find_slips([]) == []
