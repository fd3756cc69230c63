import pytest

from store.errors import BadRequest, Busy, DamagedStore
from store.settings.file import forget, keep, read_data_dir
from store.settings.history import HISTORY_FILE, list_changes, one_at_a_time


def told() -> list[tuple[str, str, str, str]]:
    return [change[:4] for change in list_changes(read_data_dir())]


def test_every_change_says_who_changed_what_from_what_to_what():
    keep(read_data_dir(), "overlap", "3")
    keep(read_data_dir(), "overlap", " 2 ", by="ann")
    forget(read_data_dir(), "overlap", by="bob")
    assert told() == [
        ("overlap", "2", "", "bob"),
        ("overlap", "3", "2", "ann"),
        ("overlap", "", "3", "command line"),
    ]


def test_what_changes_nothing_or_is_refused_leaves_no_line():
    keep(read_data_dir(), "overlap", "3")
    keep(read_data_dir(), "overlap", "3")
    forget(read_data_dir(), "control_share")
    with pytest.raises(BadRequest):
        keep(read_data_dir(), "overlap", "many")
    assert len(told()) == 1


def test_the_file_is_only_added_to():
    keep(read_data_dir(), "overlap", "3")
    before = (read_data_dir() / HISTORY_FILE).read_bytes()
    keep(read_data_dir(), "overlap", "4")
    assert (read_data_dir() / HISTORY_FILE).read_bytes().startswith(before)
    assert [change.after for change in list_changes(read_data_dir(), limit=1)] == ["4"]


def test_an_address_with_a_key_is_never_written_down():
    keep(read_data_dir(), "webhook_url", "https://hooks.example.org/services/hunter2")
    assert told() == [("webhook_url", "", "https://hooks.example.org/…", "command line")]
    assert b"hunter2" not in (read_data_dir() / HISTORY_FILE).read_bytes()


def test_two_people_never_change_the_settings_at_the_same_moment():
    keep(read_data_dir(), "overlap", "3")
    with one_at_a_time(read_data_dir()), pytest.raises(Busy, match="try again"):
        keep(read_data_dir(), "overlap", "4")
    assert len(told()) == 1


def test_a_broken_line_is_named():
    keep(read_data_dir(), "overlap", "3")
    with (read_data_dir() / HISTORY_FILE).open("a") as file:
        file.write("{}\n")
    with pytest.raises(DamagedStore, match=r"line 2 of .*take it out"):
        list_changes(read_data_dir())
