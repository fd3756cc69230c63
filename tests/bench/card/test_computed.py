import re
from pathlib import Path

import pytest

from bench.card.computed import BEGIN, END, full_size, table, write_into
from tests.trainer.card.test_choosing import FULL

PAGE = Path(__file__).parents[3] / "docs" / "operator" / "card.md"


def test_the_page_shows_what_is_computed_now():
    found = PAGE.read_text(encoding="utf-8").split(BEGIN)[1].split(END)[0]
    assert found.strip() == table(FULL)


def test_the_table_is_written_between_its_marks(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    write_into(page, "| new |")
    assert page.read_text() == f"before\n{BEGIN}\n\n| new |\n\n{END}\nafter\n"


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_sizes_are_those_of_the_real_configuration_and_a_bar_says_how_long_counting_takes(capfd):
    assert full_size() == FULL
    told = capfd.readouterr().err
    assert "counting the memory of a pass with checkpointing" in told
    assert re.search(r"\b[1-9]\d%.*\d\d:\d\d<\d\d:\d\d", told)
