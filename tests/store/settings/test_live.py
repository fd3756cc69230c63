import logging

from store.settings.file import keep, read_settings
from store.settings.live import as_changed
from store.settings.sources import SETTINGS_FILE


def test_settings_stay_the_very_same_until_somebody_changes_them():
    settings = read_settings()
    assert as_changed(settings) is settings


def test_what_is_changed_holds_at_once_in_a_process_that_runs():
    settings = read_settings()
    as_changed(settings)
    keep(settings.data_dir, "overlap", "3")
    keep(settings.data_dir, "retrain_after", "7")
    assert (as_changed(settings).overlap, as_changed(settings).retrain_after) == (3, 7)
    assert as_changed(as_changed(settings)) == as_changed(settings)
    assert as_changed(settings) is as_changed(settings)


def test_what_holds_only_after_a_start_waits_for_it():
    settings = read_settings()
    as_changed(settings)
    keep(settings.data_dir, "tries", "5")
    keep(settings.data_dir, "port", "9001")
    assert (as_changed(settings).tries, as_changed(settings).port) == (settings.tries, settings.port)


def test_a_file_that_cannot_be_used_changes_nothing(caplog):
    settings = read_settings()
    as_changed(settings)
    keep(settings.data_dir, "overlap", "3")
    with caplog.at_level(logging.WARNING):
        (settings.data_dir / SETTINGS_FILE).write_text("overlap = nobody\n")
        assert as_changed(settings).overlap == 1
    assert "the settings stay as they were" in caplog.text
