"""The page of evidence says what the record holds, and no more than its intervals allow."""

from dataclasses import replace

from bench.loop.record import make_record
from bench.loop.record_page import _section, page, removed_methods, table, tables
from bench.loop.rows import DEFAULT
from tests.bench.loop.conftest import MEASURED, PLAN, RIGHT, WRONG, control_rows, finished_row


def test_the_page_in_the_docs_is_the_one_that_the_record_gives(measured):
    assert page(measured) == (MEASURED / "evidence.md").read_text()


def test_rows_of_a_removed_method_stay_and_carry_a_footnote(measured):
    assert removed_methods(measured.worlds["drawn"]) == ["kto, same-prompt", "kto, negative-half"]
    assert "| kto, same-prompt † | 200 | 36.1 % of 216 |" in page(measured)
    assert "† The program no longer has this method." in page(measured)


def test_a_page_without_removed_methods_has_no_footnote(measured):
    drawn = measured.worlds["drawn"]
    methods = {name: method for name, method in drawn.methods.items() if not name.startswith("kto")}
    assert "†" not in _section("drawn", drawn.model_copy(update={"methods": methods}), 200)


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
