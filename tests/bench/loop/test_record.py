"""The record: counts, pairs and intervals, and the file that keeps them."""

import json
from dataclasses import replace

import pytest

from bench.loop.record import Record, make_record, world_record
from bench.loop.rows import DEFAULT
from tests.bench.loop.conftest import MEASURED, PLAN, RIGHT, WRONG, control_rows, finished_row


def test_what_was_mended_and_broken_is_counted_on_the_same_seeds():
    rows = [
        finished_row("base", 0, [["fingers"], ["colour"], [], []]),
        finished_row(DEFAULT, 1, [[], ["colour"], ["word"], []]),
    ]
    methods = world_record(rows, PLAN).methods
    found = methods[DEFAULT]
    assert (methods["base"].rate, found.rate) == (0.5, 0.5)
    assert (found.mended, found.broke, found.paired) == (1, 1, 0.0)
    assert found.adherence == 0.75
    assert found.votes == PLAN.votes


def test_pairs_are_formed_within_a_replicate():
    rows = [finished_row("base", 0, [["fingers"]], 0), finished_row("base", 0, [[]], 1)]
    rows += [finished_row(DEFAULT, 1, [[]], 1), finished_row(DEFAULT, 1, [["word"]], 0)]
    found = world_record(rows, PLAN).methods[DEFAULT]
    assert (found.mended, found.broke) == (0, 0)


def test_the_controls_are_compared_with_the_first_and_the_last_round():
    rows = [*control_rows(), finished_row(DEFAULT, 1, WRONG + RIGHT), finished_row(DEFAULT, 2, RIGHT + RIGHT)]
    methods = world_record(rows, PLAN).methods
    first, last = methods["woolf"].default_against_it, methods["woolf"].last_default_against_it
    assert first and last
    assert (first.mended, last.mended) == (0, 8)
    assert methods["held-out"].default_against_it is None
    assert methods[DEFAULT] == methods[f"{DEFAULT}, round 2"]


def test_diversity_is_relative_to_the_base_of_the_same_replicate():
    bases = [finished_row("base", 0, [[]], n)._replace(right_spread=spread) for n, spread in enumerate((1.0, 4.0))]
    after = [finished_row(DEFAULT, 1, [[]], n)._replace(right_spread=spread) for n, spread in enumerate((2.0, 2.0))]
    assert world_record([*bases, *after], PLAN).methods[DEFAULT].diversity == (2.0 + 0.5) / 2


def test_the_held_out_subject_and_fault_take_turns_by_prompt():
    cats, stars = [["colour"], [], []], [["points"], ["points"], ["colour"]]
    found = world_record([finished_row("base", 0, [[]]), finished_row("held-out base", 0, cats + stars)], PLAN).held_out
    assert (found.subject_before.n, found.fault_before.n) == (3, 3)
    assert (round(found.subject_before.rate, 3), round(found.fault_before.rate, 3)) == (0.333, 0.667)


def test_a_record_has_a_part_for_each_world():
    rows = [finished_row("base", 0, [["colour"], ["shape"], []])]
    found = make_record([(PLAN, rows), (replace(PLAN, world="compositions"), rows)]).worlds
    assert list(found) == ["drawn", "compositions"]
    assert found["drawn"].methods["base"].rate == found["compositions"].methods["base"].rate
    assert found["drawn"].methods["base"].adherence == pytest.approx(2 / 3)
    assert found["compositions"].methods["base"].adherence == pytest.approx(1 / 3)


def test_the_file_in_the_docs_is_read_and_written_without_loss(measured):
    text = (MEASURED / "evidence.json").read_text()
    assert json.loads(measured.to_json()) == json.loads(text)
    assert Record.model_validate_json(measured.to_json(indent=1)) == measured
