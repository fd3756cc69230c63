"""The page of evidence says what the record holds, and no more than its intervals allow."""

import json
from pathlib import Path

from bench.loop.record_page import page, removed_methods

MEASURED = Path(__file__).parents[3] / "docs" / "measured"


def test_the_page_in_the_docs_is_the_one_that_the_record_gives():
    found = json.loads((MEASURED / "evidence.json").read_text())
    assert page(found) == (MEASURED / "evidence.md").read_text(), "make it again: naysayer bench loop --docs"


def test_rows_of_a_removed_method_stay_and_carry_a_footnote():
    found = json.loads((MEASURED / "evidence.json").read_text())
    assert removed_methods(found) == ["kto, same-prompt", "kto, negative-half"]
    assert "| kto, same-prompt † | 200 | 36.1 % of 216 |" in page(found)
    assert "† The program no longer has this method." in page(found)


def test_a_page_without_removed_methods_has_no_footnote():
    found = json.loads((MEASURED / "evidence.json").read_text())
    found["methods"] = {name: m for name, m in found["methods"].items() if not name.startswith("kto")}
    assert "†" not in page(found)
