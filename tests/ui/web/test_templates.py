import pytest
from jinja2 import UndefinedError
from markupsafe import Markup

from ui.web.templates import environment, render

HOSTILE = "<img src=x onerror=alert(1)>"
PIECES = environment.get_template("web/pieces.html").module


def test_every_template_of_the_pages_is_found_and_compiles():
    names = environment.list_templates(filter_func=lambda name: name.endswith(".html"))
    assert "web/pieces.html" in names
    for name in names:
        environment.get_template(name)


def test_a_value_that_is_not_given_is_an_error():
    with pytest.raises(UndefinedError, match="sentence"):
        environment.from_string("{{ sentence }}").render()


def test_words_from_outside_are_escaped_and_html_of_ours_is_not_escaped_twice():
    line = PIECES.data_line([HOSTILE, "b"])
    assert "<img" not in line
    assert "&lt;img" in line
    assert environment.from_string("{{ it }}").render(it=line) == line
    assert Markup("") + HOSTILE == Markup("&lt;img src=x onerror=alert(1)&gt;")


def test_render_returns_html_that_other_templates_take_as_it_is():
    assert isinstance(render("web/pieces.html"), Markup)
