"""What the record says of finished rows: counts, pairs and intervals."""

from dataclasses import replace

import pytest

from bench.loop.rows import DEFAULT, ONCE
from bench.loop.summary import make_record, world_record
from tests.bench.loop.conftest import PLAN, RIGHT, WRONG, control_rows, finished_row


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
    rows = [finished_row(name, round_, cats + stars) for name, round_ in (("held-out base", 0), ("held-out", 1))]
    found = world_record([finished_row("base", 0, [[]]), *rows], PLAN).held_out
    assert (found.subject_before.n, found.fault_before.n) == (3, 3)
    assert (round(found.subject_before.rate, 3), round(found.fault_before.rate, 3)) == (0.333, 0.667)


def test_a_record_has_a_part_for_each_world():
    rows = [finished_row("base", 0, [["colour"], ["shape"], []])]
    found = make_record([(PLAN, rows), (replace(PLAN, world="compositions"), rows)]).worlds
    assert list(found) == ["drawn", "compositions"]
    assert found["drawn"].methods["base"].rate == found["compositions"].methods["base"].rate
    assert found["drawn"].methods["base"].adherence == pytest.approx(2 / 3)
    assert found["compositions"].methods["base"].adherence == pytest.approx(1 / 3)


def test_only_the_pictures_that_both_rows_drew_are_paired():
    before = [["fingers"], [], [], [], ["colour"], []]
    after = finished_row("best-of-6", 1, [[], ["colour"]])
    found = world_record([finished_row("base", 0, before), after], PLAN).methods["best-of-6, round 1"]
    assert (found.mended, found.broke, found.n) == (1, 1, 2)


def test_what_is_measured_after_every_round_stands_under_its_name_with_the_last():
    rows = [finished_row("base", 0, WRONG), finished_row("check-1", 1, WRONG), finished_row("check-1", 2, RIGHT)]
    methods = world_record([*rows, finished_row(DEFAULT, 2, RIGHT)], PLAN).methods
    assert methods["check-1"] == methods["check-1, round 2"]
    assert methods["check-1, round 1"].rate == 1
    assert methods["check-1"].votes == 2 * PLAN.votes


def test_time_is_relative_to_one_drawing_of_the_default_method_in_the_same_replicate_and_round():
    rows = [finished_row("base", 0, RIGHT, n)._replace(draw_s=0.5 * (n + 1)) for n in (0, 1)]
    rows += [finished_row(ONCE, 2, RIGHT, n)._replace(draw_s=4.0) for n in (0, 1)]
    rows += [finished_row("check-1", 2, RIGHT, n)._replace(draw_s=6.0) for n in (0, 1)]
    rows += [finished_row(ONCE, 1, RIGHT, n)._replace(draw_s=seconds) for n, seconds in enumerate((1.0, 2.0))]
    rows += [finished_row("check-1", 1, RIGHT, n)._replace(draw_s=seconds) for n, seconds in enumerate((1.2, 2.8))]
    methods = world_record(rows, PLAN).methods
    assert methods["check-1, round 1"].time == pytest.approx(1.3)
    assert methods[f"{ONCE}, round 1"].time == 1
    assert methods["check-1, round 2"].time == 1.5
    assert methods["base"].time == 0.5


def test_the_auc_is_plain_and_within_prompts_for_own_and_for_the_bases_pictures():
    told = {"own_scores": [3.0, 1.0, 2.0, 9.0, 8.0, 7.0], "own_wrong": [True, False, False, False, True, False]}
    base = {"base_scores": [1.0, 2.0, 3.0], "base_wrong": [True, False, False]}
    rows = [finished_row("base", 0, RIGHT), finished_row(ONCE, 1, RIGHT)._replace(**told, **base)]
    found = world_record(rows, PLAN).methods[ONCE]
    assert (found.auc, found.auc_within) == (5 / 8, 3 / 4)
    assert (found.base_auc, found.base_auc_within) == (0, 0)
    assert world_record(rows, PLAN).methods["base"].auc is None


def test_kinds_of_faults_are_paired_each_on_its_own():
    before = [["colour"]] * 20 + [["word"]] * 4 + [[]] * 24
    after = [[]] * 20 + [["word"]] * 4 + [["size"]] * 24
    kinds = world_record([finished_row("base", 0, before), finished_row(DEFAULT, 1, after)], PLAN).kinds
    assert list(kinds) == ["colour", "word", "size"]
    assert (kinds["colour"].before, kinds["colour"].after) == (20, 0)
    assert kinds["colour"].paired_high < 0 < kinds["size"].paired_low
    assert kinds["word"].paired_low < 0 < kinds["word"].paired_high
