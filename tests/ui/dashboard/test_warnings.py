from streamlit.testing.v1 import AppTest

from feedback.versions import note_damage
from tests.waiting import PATIENCE_S


def pool_without_pictures() -> None:
    import streamlit as st

    from ui.dashboard.warnings import under_warnings

    under_warnings("Pool", lambda: st.text("the page itself"))()


def test_a_page_says_which_version_is_not_drawn_with(settings, engine, publish_version):
    publish_version(engine, 1)
    page = AppTest.from_function(pool_without_pictures, default_timeout=PATIENCE_S).run()
    assert not page.exception
    assert not page.get("html")

    note_damage(engine, 1, "v1 is not drawn with: its file is missing; restore it from a backup")
    page.run()
    assert "its file is missing" in str(page.get("html")[0].proto)
    assert [text.value for text in page.text] == ["the page itself"]
