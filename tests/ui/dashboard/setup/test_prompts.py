import pytest
from streamlit.testing.v1 import AppTest

from feedback.figures.prompts import PromptFilter, prompt_page
from feedback.sample.prompts import add_prompts, list_prompts
from tests.ui.dashboard.conftest import HOSTILE
from tests.waiting import PATIENCE_S
from ui.dashboard.setup.prompts import added_words
from ui.web.templates import render


@pytest.fixture
def app(engine):
    """The page Setup of an empty store, opened at its prompts."""
    return AppTest.from_string(
        "from ui.dashboard.setup.page import setup_page\nsetup_page()", default_timeout=PATIENCE_S
    ).run()


def add(app: AppTest, text: str) -> AppTest:
    app.text_area[0].set_value(text)
    return next(button for button in app.button if button.label == "Add prompts").click().run()


def shown(app: AppTest) -> str:
    return " ".join(html.proto.body for html in app.get("html"))


def test_pasted_prompts_are_added_a_line_each_and_the_box_is_empty_again(app, engine):
    add(app, "a red star\n\na {blue|red} hand\na red star\n")
    assert [prompt.text for prompt in list_prompts(engine)] == ["a red star", "a {blue|red} hand"]
    assert "2 new prompts out of 3" in shown(app)
    assert "{blue|red} in line 3" in shown(app)
    assert app.text_area[0].value == ""


@pytest.mark.parametrize(
    ("text", "sentence"),
    [("a red star\n" + "x" * 2001, "line 2: the prompt"), (" \n", "the box is empty"), ('["a", "b"]', "line 1: ")],
)
def test_what_cannot_be_added_is_one_sentence_and_stays_in_the_box(app, engine, text, sentence):
    add(app, text)
    assert sentence in shown(app)
    assert shown(app).count('role="alert"') == 1
    assert app.text_area[0].value == text
    assert list_prompts(engine) == []


def test_prompts_that_stay_set_aside_are_told():
    words = added_words("0 new prompts out of 1", 1)
    assert words[1] == "1 other, paused or removed before, stays so until you resume it"


def test_prompts_are_escaped(engine):
    add_prompts(engine, [HOSTILE], source=HOSTILE)
    html = render("dashboard/setup/html/prompts.html", rows=prompt_page(engine, PromptFilter(), 0, 50).rows)
    assert "<img src=x" not in html
    assert "&lt;img src=x" in html
