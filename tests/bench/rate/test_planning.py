"""The bench of planning, in short; and that a vote does not wait longer for a plan from a long list of prompts."""

import pytest

from bench.rate.planning import measure_planning, table


def test_each_length_of_the_list_is_a_row() -> None:
    rows = measure_planning([50, 100], votes=20)
    assert [row.prompts for row in rows] == [50, 100]
    assert all(0 < row.vote_p50_ms <= row.vote_p99_ms and row.plan_ms > 0 for row in rows)
    assert [line.split()[0] for line in table(rows).splitlines()] == ["50", "100"]


@pytest.mark.alone
@pytest.mark.slow
def test_votes_beside_a_worker_wait_no_longer_with_ten_thousand_prompts() -> None:
    pairs = (measure_planning([200, 10_000], votes=300) for _ in range(3))
    assert any(many.vote_p99_ms <= 2 * few.vote_p99_ms for few, many in pairs)
