"""Settings that are safe to change while the loop runs, and who changed which when."""

from collections.abc import Callable
from functools import partial
from typing import Any

import streamlit as st

from feedback.policy import promotion_mode, rejects_needed, retrains_itself
from store.settings import Settings
from store.settings.file import read_settings
from store.settings.from_pages import AT_ONCE, CHANGEABLE, PageSetting, change_setting, page_settings
from store.settings.history import SettingChange, list_changes
from ui.dashboard.setup.desk import PAGE, about, ask
from ui.dashboard.setup.rows import show_rows
from ui.signin.people import viewer_name
from ui.signin.powers import dialog
from ui.web.phrases import percent

IN_FORCE: dict[str, Callable[[Settings], Any]] = {
    "retrain_after": rejects_needed,
    "auto_retrain": retrains_itself,
    "promotion": promotion_mode,
}
"""What holds where a setting is left open."""
CHOICES = {"manual": "manual: a person", "gate": "gate: the votes on pairs", "auto": "auto: each retrain itself"}
CHANGES = 30


def show_settings() -> None:
    """The whole part."""
    about("Kept in the store's folder, as naysayer set keeps them. They hold at once, unless a line says otherwise.")
    now = read_settings()
    groups = page_settings(now)
    words = partial(value_words, now)
    pressed = show_rows("settings", "settings.html", groups=groups, at_once=AT_ONCE, words=words)
    changes = list_changes(now.data_dir, CHANGES)
    show_rows("changes", "changes.html", changes=changes, name_of=name_of, words=change_words)
    found = {one.field: one for those in groups.values() for one in those}
    if pressed is not None and pressed.ids and pressed.ids[0] in found:
        _change(found[pressed.ids[0]])


def value_words(settings: Settings, one: PageSetting) -> str:
    """The value that holds, for people."""
    value = IN_FORCE[one.field](settings) if one.value is None else one.value
    return _words(value, is_share=one.about.is_share)


def name_of(field: str) -> str:
    """What a setting is called on the page; one that only commands change is called as they call it."""
    return CHANGEABLE[field].name if field in CHANGEABLE else field


def change_words(change: SettingChange) -> str:
    """From what to what.

    >>> from store.settings.history import as_change
    >>> change_words(as_change("overlap", "", "2", "ann")), change_words(as_change("base_slice", "0.5", "0.25", "ann"))
    ('the default → 2', '50 % → 25 %')
    """
    is_share = change.field in CHANGEABLE and CHANGEABLE[change.field].is_share
    before, after = (_written_words(text, is_share) for text in (change.before, change.after))
    return f"{before} → {after}"


def _written_words(text: str, is_share: bool) -> str:
    if not text:
        return "the default"
    try:
        return _words(float(text), is_share=True) if is_share else text
    except ValueError:
        return text


def _words(value: Any, *, is_share: bool) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return percent(value) if is_share else f"{value}"


@dialog(PAGE, "Change a setting")
def _change(one: PageSetting) -> None:
    st.markdown(f"**{one.about.name}**")
    st.text(f"{one.about.does} {one.about.holds}")
    written = _ask_choice(one) if one.choices else _ask_number(one)

    def change() -> list[str]:
        change_setting(read_settings(), one.field, written, by=viewer_name())
        return [f"{one.about.name} is changed. {one.about.holds}"]

    ask("Change it", change)


def _ask_choice(one: PageSetting) -> str:
    options = ["", *one.choices]
    chosen = st.radio(
        "New value",
        options,
        index=options.index(one.written),
        format_func=lambda word: CHOICES.get(word, word) or f"the default ({one.usual or 'as the model needs'})",
    )
    return chosen or ""


def _ask_number(one: PageSetting) -> str:
    written = st.text_input(f"New value, {one.allowed}", one.written, placeholder="the default", max_chars=40)
    st.caption(f"Empty goes back to the default, {one.usual or 'which depends on the model'}.")
    return written
