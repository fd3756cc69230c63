import pytest

from store.settings.file import keep, read_settings
from store.settings.from_pages import AT_ONCE, page_settings
from store.settings.history import list_changes
from tests.ui.dashboard.conftest import HOSTILE
from ui.dashboard.setup.settings import change_words, name_of, value_words
from ui.web.templates import render


@pytest.fixture
def html(settings, engine):
    """A function that renders the list of settings and who changed them."""

    def html() -> str:
        now = read_settings()
        listed = render(
            "dashboard/setup/html/settings.html",
            groups=page_settings(now),
            at_once=AT_ONCE,
            words=lambda one: value_words(now, one),
        )
        changes = list_changes(now.data_dir)
        return listed + render(
            "dashboard/setup/html/changes.html", changes=changes, name_of=name_of, words=change_words
        )

    return html


def test_each_setting_says_its_value_and_where_it_comes_from(html, settings, monkeypatch):
    keep(settings.data_dir, "control_share", "0.08")
    monkeypatch.setenv("NAYSAYER_BASE_SLICE", "0.25")
    assert "<b>8 %</b><small>set for this store</small>" in html()
    assert "<b>25 %</b><small>fixed from outside</small>" in html()
    assert "NAYSAYER_BASE_SLICE in the environment of the pages fixes it" in html()
    assert 'data-id="base_slice"' not in html()
    assert "<b>40</b><small>the default</small>" in html()


def test_who_changed_what_is_told_and_escaped(html, settings):
    keep(settings.data_dir, "control_share", "0.08", by=HOSTILE)
    keep(settings.data_dir, "lora_rank", "8")
    assert "Share of controls: the default → 8 %" in html()
    assert "lora_rank: the default → 8" in html()
    assert "&lt;img src=x" in html()
    assert "<img src=x" not in html()
