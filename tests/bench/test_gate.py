"""The gate's figures under simulation."""

import json

import numpy as np
import pytest

from bench.gate import TABLE, Case, bench_gate, evidence_table, simulate_gate, table
from feedback.statistics import log_e_value


def test_the_gate_keeps_its_promises() -> None:
    found = bench_gate(2000)
    json.dumps(found)
    assert found["false_promotion"] <= 0.05
    assert found["power_040_030_400"] >= 0.80
    assert found["power_040_015_60"] >= 0.80


def test_where_every_pair_is_mended_every_run_promotes_and_where_every_pair_is_spoilt_none() -> None:
    better, worse = Case(0.5, 0.0, 40, 0.5), Case(0.0, 0.5, 40, 0.5)
    assert simulate_gate(better, 200).promoted == 1.0
    assert simulate_gate(worse, 200) == (0.0, None)


def test_the_table_of_evidence_has_every_count_of_pairs() -> None:
    found = evidence_table(6)
    assert found.shape == (7, 7)
    assert found[4, 1] == log_e_value(4, 1)
    assert np.argmax(found[:, 0]) == 6


@pytest.mark.slow
def test_the_table_has_a_line_for_each_case() -> None:
    assert len(table(2).splitlines()) == 2 + len(TABLE)
