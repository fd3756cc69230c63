import re

import pytest

from feedback.figures.summary import VersionRow
from store.tables import utc_now
from ui.web.pieces import alert, axis_end, data_line, head
from ui.web.templates import environment, markdown_html

HOSTILE = "<img src=x onerror=alert(1)>"


PIECES = environment.get_template("web/pieces.html").module


def row(number: int, rejected: int, judged: int, *aliases: str) -> VersionRow:
    return VersionRow(number, aliases, rejected, judged, judged, 2, 0, utc_now())


@pytest.mark.parametrize(
    "text",
    [
        HOSTILE,
        "![a picture](http://evil.example/x.png)",
        "[go](javascript:alert(1))",
        "[go](data:text/html,x)",
        "<script>alert(1)</script>",
        "<svg onload=alert(1)>",
        '[go](http://a.example "x\\" onmouseover=alert(1)")',
    ],
)
def test_markdown_brings_no_script_picture_or_attribute_into_the_page(text):
    html = re.sub(r'title="[^"]*"', "", markdown_html(f"# Look\n\n- {text}\n\n{text}"))
    assert "<h3>Look</h3>" in html
    assert not re.search(r"<(img|script|svg|iframe)|href=.(javascript|data)|<[^>]*\bon\w+=", html)


def test_a_link_of_a_text_opens_a_tab_that_learns_nothing():
    assert 'target="_blank" rel="noopener noreferrer"' in markdown_html("[us](https://a.example)")


def test_a_thumbnail_cannot_break_out_of_its_attributes():
    html = PIECES.picture("0" * 64, '" onerror="alert(1)', width=64)
    assert 'onerror="' not in html


@pytest.mark.parametrize(("width", "is_sharp"), [(64, True), (1024, False)])
def test_only_a_picture_shown_larger_than_it_is_keeps_its_pixels(width, is_sharp):
    assert ('class="ns-thumb small"' in PIECES.picture("0" * 64, "a cat", px=96, width=width)) is is_sharp


def test_a_version_without_votes_shows_an_empty_axis():
    empty = row(2, 0, 0)
    assert "not judged yet" in PIECES.interval_bar(empty.rate, empty.interval, 1.0)


def test_an_error_and_a_title_are_escaped():
    for html in (alert(HOSTILE), head(HOSTILE, HOSTILE), data_line(HOSTILE)):
        assert "<img" not in html
        assert "&lt;img src=x" in html


def test_the_axis_ends_at_the_first_fifth_that_holds_every_interval():
    assert axis_end([row(0, 30, 100).interval]) == 0.4
    assert axis_end([row(0, 9, 10).interval, row(1, 30, 100).interval]) == 1.0


def test_a_bar_without_an_end_is_empty():
    assert "width:0.0%" in PIECES.bar(3, 0, "x")
    assert "width:100.0%" in PIECES.bar(9, 3, "x")
