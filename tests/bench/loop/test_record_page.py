"""The page of evidence says what the record holds, and no more than its intervals allow."""

from dataclasses import replace

from bench.loop.record_page import page, removed_methods, table, tables
from bench.loop.rows import DEFAULT, ONCE
from bench.loop.summary import make_record
from tests.bench.loop.conftest import MEASURED, PLAN, RIGHT, WRONG, control_rows, finished_row


def test_the_page_in_the_docs_is_the_one_that_the_record_gives(measured):
    assert page(measured) == (MEASURED / "evidence.md").read_text()


def test_rows_of_a_removed_method_stay_and_carry_a_footnote():
    rows = [*control_rows(), finished_row(DEFAULT, 1, RIGHT + RIGHT)]
    known = make_record([(PLAN, rows)])
    assert "†" not in page(known)
    found = make_record([(PLAN, [*rows, finished_row("kto, same-prompt", 1, WRONG + RIGHT)])])
    assert removed_methods(found.worlds["drawn"]) == ["kto, same-prompt"]
    assert f"| kto, same-prompt † | {PLAN.votes} | 50.0 % of 16 |" in page(found)
    assert "† The program no longer has this method." in page(found)


def test_before_the_held_out_rows_are_measured_the_page_says_nothing_of_them():
    rows = [row for row in control_rows() if row.row != "held-out"]
    found = make_record([(PLAN, [*rows, finished_row(DEFAULT, 1, RIGHT + RIGHT)])])
    assert found.worlds["drawn"].held_out is None
    assert "In a further run raters saw no" not in page(found)


def test_without_a_clear_gain_the_page_claims_none():
    no_gain = page(make_record([(PLAN, [*control_rows(), finished_row(DEFAULT, 1, WRONG + RIGHT)])]))
    assert "no clear gain over the base" in no_gain
    assert "It does not clearly beat a LoRA of the base's own pictures" in no_gain


def test_a_gain_beyond_chance_is_claimed_beside_its_control():
    found = make_record([(PLAN, [*control_rows(), finished_row(DEFAULT, 1, RIGHT + RIGHT)])])
    gain = page(found)
    assert "fewer wrong pictures than the base, beyond chance. It also beats a LoRA of the base's own" in gain
    assert table(found.worlds["drawn"]) in gain


def test_every_world_has_a_section_and_a_table():
    rows = [*control_rows(), finished_row(DEFAULT, 1, WRONG + RIGHT)]
    found = make_record([(PLAN, rows), (replace(PLAN, world="compositions"), rows)])
    assert [line for line in page(found).splitlines() if "The world" in line] == [
        "## The world `drawn`",
        "## The world `compositions`",
    ]
    assert tables(found).startswith("drawn\n\n| method")
    assert "\n\ncompositions\n\n| method" in tables(found)


def test_the_page_says_for_which_faults_it_helps_and_for_which_it_does_not():
    before = [["colour"]] * 20 + [["word"]] * 4 + [[]] * 24
    after = [[]] * 20 + [["word"]] * 4 + [["size"]] * 24
    rows = [finished_row("base", 0, before), finished_row(DEFAULT, 1, after)]
    text = page(make_record([(PLAN, [*rows, *(r for r in control_rows() if r.row.startswith("held-out"))])]))
    assert "- Fewer than the base, beyond chance: colour (20 → 0)." in text
    assert "- No difference shown: word (4 → 4)." in text
    assert "- More than the base, beyond chance: size (0 → 24)." in text


def test_a_row_shows_its_time_and_how_well_its_lora_tells():
    told = {"own_scores": [3.0, 1.0, 2.0], "own_wrong": [True, False, True], "base_scores": [1.0, 2.0], "draw_s": 0.5}
    row = finished_row(ONCE, 1, [[]])._replace(**told, base_wrong=[True, False])
    found = make_record([(PLAN, [finished_row("base", 0, [["word"]]), row])]).worlds["drawn"]
    assert "| 0.50 |" in table(found).splitlines()[2]
    assert "| 1.00 |" in table(found).splitlines()[3]
    assert "| 1.00 (1.00) | 0.00 (0.00) |" in table(found)
