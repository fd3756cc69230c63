"""Dialogs that change something, run by Streamlit without a browser."""

import pytest
from streamlit.testing.v1 import AppTest

from tests.waiting import PATIENCE_S

SCRIPT = """
import streamlit as st
from store.errors import BadRequest
from ui.web.dialog import confirm, show_done

def act(reason):
    if reason == "bad":
        raise BadRequest("<b>no</b>")
    st.session_state["reasons"] = [*st.session_state.get("reasons", []), reason]
    return "it is done"

show_done()
confirm("Do it", act)
"""


@pytest.fixture
def app() -> AppTest:
    return AppTest.from_string(SCRIPT, default_timeout=PATIENCE_S).run()


def press(app: AppTest, reason: str) -> AppTest:
    app.text_input[0].set_value(reason)
    return app.button[0].click().run()


def test_an_action_gets_its_reason_and_is_told_once(app):
    app = press(app, "  because  ")
    assert app.session_state["reasons"] == ["because"]
    assert [toast.value for toast in app.toast] == ["it is done"]
    assert list(app.run().toast) == []


def test_without_a_reason_nothing_is_done(app):
    app = press(app, "   ")
    assert "reasons" not in app.session_state
    assert "Give a reason" in app.get("html")[0].proto.body


def test_our_error_is_shown_as_text_in_the_dialog(app):
    app = press(app, "bad")
    assert "reasons" not in app.session_state
    assert "&lt;b&gt;no" in app.get("html")[0].proto.body
    assert not app.exception
