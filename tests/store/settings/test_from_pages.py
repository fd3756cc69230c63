import pytest

from store.errors import BadRequest
from store.settings.file import read_settings
from store.settings.from_pages import CHANGEABLE, PageSetting, change_setting, page_settings
from store.settings.history import list_changes

OPENS_A_DOOR = (
    *(
        "host",
        "port",
        "sign_in",
        "secret",
        "public_url",
        "base_path",
        "trusted_proxies",
        "allowed_hosts",
        "admins",
        "metrics_open",
    ),
    *("oidc_client_id", "oidc_client_secret", "oidc_metadata_url", "webhook_url", "webhook_secret"),
    *("data_dir", "store_url", "model", "vae", "refiner", "model_config_source", "model_revision", "prompt_scorer"),
)
"""Names files, addresses or code, holds a secret, or decides who may come in."""


def now(field: str) -> PageSetting:
    return next(one for group in page_settings(read_settings()).values() for one in group if one.field == field)


@pytest.mark.parametrize("field", OPENS_A_DOOR)
def test_what_opens_a_door_is_never_changed_from_a_page(field, tmp_path):
    assert field not in CHANGEABLE
    with pytest.raises(BadRequest, match="not changed from a page"):
        change_setting(read_settings(), field, "1", by="ann")
    assert not (tmp_path / "data").exists()


def test_a_change_holds_for_every_process_and_says_who_made_it():
    change_setting(read_settings(), "overlap", "3", by="ann")
    assert read_settings().overlap == 3
    assert (now("overlap").written, now("overlap").place, now("overlap").usual) == ("3", "naysayer.toml", "1")
    assert [change.by for change in list_changes(read_settings().data_dir)] == ["ann"]
    change_setting(read_settings(), "overlap", "", by="ann")
    assert (now("overlap").written, now("overlap").value, now("overlap").place) == ("", 1, "default")


def test_shares_are_read_and_written_in_per_cent():
    for written in ("12.5", " 12.5 % "):
        change_setting(read_settings(), "control_share", written, by="ann")
        assert (read_settings().control_share, now("control_share").written) == (0.125, "12.5 %")


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        (
            "overlap",
            "many",
            "Raters for each picture: 'many' is not a whole number from 1 to 1000; nothing ",
        ),
        ("control_share", "70", "Share of controls: '70' is not from 0 to 50 %; nothing was changed"),
        ("control_share", "nan", "is not from 0 to 50 %"),
        ("promotion", "nobody", "Who promotes: 'nobody' is not manual, gate or auto; nothing was changed"),
        ("auto_retrain", "perhaps", "is not yes or no"),
    ],
)
def test_a_value_that_cannot_be_used_is_one_sentence_without_a_variables_name(field, value, sentence, tmp_path):
    with pytest.raises(BadRequest, match=sentence):
        change_setting(read_settings(), field, value, by="ann")
    assert not (tmp_path / "data").exists()


def test_what_the_environment_fixes_is_told_and_not_changed(shell):
    shell.setenv("NAYSAYER_OVERLAP", "4")
    assert now("overlap").fixed.startswith("NAYSAYER_OVERLAP in the environment of the pages fixes it")
    with pytest.raises(BadRequest, match="fixes it"):
        change_setting(read_settings(), "overlap", "3", by="ann")
    assert list_changes(read_settings().data_dir) == []
    assert now("control_share").fixed == ""


def test_each_says_what_it_does_when_it_holds_and_what_it_may_be():
    assert now("control_share").allowed == "from 0 to 50 %"
    assert now("rater_share").allowed == "above 0, at most 100 %"
    assert now("auto_retrain").allowed == "yes or no"
    assert now("promotion").allowed == "manual, gate or auto"
    for about in CHANGEABLE.values():
        assert about.does.endswith(".")
        assert about.holds.endswith(".")
