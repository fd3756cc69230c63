"""The simple page: rating with Streamlit's own widgets."""

import re

from streamlit.testing.v1 import AppTest

from tests.ui.rate.test_plain_form import votes_in
from tests.waiting import PATIENCE_S


def simple(name: str = "ada") -> AppTest:
    app = AppTest.from_string("from ui.rate.rate import rate_page\nrate_page()", default_timeout=PATIENCE_S)
    app.query_params["simple"] = "1"
    app.run()
    return app.text_input[0].set_value(name).run()


def press(app: AppTest, label: str) -> AppTest:
    return next(button for button in app.button if button.label == label).click().run()


def test_streamlits_own_buttons_vote_once_a_press_and_undo(engine, settings, draw):
    draw(2)
    app = simple()
    assert not app.exception
    stale = next(button for button in app.button if button.label == "Reject")
    press(app, "Reject")
    stale.click().run()  # a second press on a button that is gone
    assert [verdict for _, verdict, _ in votes_in(engine)] == ["reject"]
    press(app, "Keep")
    assert any("You have seen everything" in text.value for text in app.text)
    press(app, "Undo")
    verdicts = votes_in(engine)
    assert [verdict for _, verdict, _ in verdicts] == ["reject", "keep", "undo"]
    assert verdicts[1][2] == verdicts[2][2] != verdicts[0][2]
    assert [button.label for button in app.button] == ["Reject", "Keep", "Skip", "Undo"]


def test_streamlits_own_widgets_show_the_signed_picture_with_its_prompt(engine, settings, draw):
    draw(1, prompts=['"><script>alert(1)</script>'])
    html = "".join(element.proto.body for element in simple().get("html"))
    assert re.search(r'src="/naysayer/image/[0-9]{10,16}-[0-9a-f]{32}" alt="&#34;&gt;&lt;script', html)
    assert "<script" not in html
