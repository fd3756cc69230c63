from feedback.settings_used import remember, warning
from store.layout import layout_of

SECRET = "hunter2-hunter2-hunter2-hunter2-hunter2"


def test_a_retrain_under_the_settings_that_last_drew_has_no_warning(settings):
    assert warning(layout_of(settings), settings) == ""
    remember(layout_of(settings), settings)
    others = settings.model_copy(update={"device": "cpu", "port": 9, "webhook_secret": SECRET})
    assert warning(layout_of(settings), others) == ""


def test_a_retrain_under_other_settings_says_which(settings):
    remember(layout_of(settings), settings.model_copy(update={"retrain_after": 7, "webhook_secret": SECRET}))
    assert "retrain_after is 7 there, is empty here" in warning(layout_of(settings), settings)
    assert SECRET not in layout_of(settings).settings_used.read_text()


def test_a_file_that_was_cut_short_is_no_hindrance(settings):
    remember(layout_of(settings), settings)
    layout_of(settings).settings_used.write_text("{")
    assert warning(layout_of(settings), settings) == ""
