from store.settings import Settings
from store.settings.file import keep, origins, read_data_dir, read_settings
from ui.settings_table import GROUPS, kept_words, settings_list, settings_markdown


def test_every_setting_is_in_one_group_and_a_dozen_come_first():
    names = [name for group in GROUPS.values() for name in group.split()]
    assert sorted(names) == sorted(Settings.model_fields)
    assert len(next(iter(GROUPS.values())).split()) == 12


def test_the_page_has_a_row_for_every_setting():
    rows = [line for line in settings_markdown().splitlines() if line.startswith("| `NAYSAYER_")]
    assert len(rows) == len(Settings.model_fields)


def test_the_list_says_where_a_value_comes_from(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NAYSAYER_PORT", "9001")
    path = keep(read_data_dir(), "overlap", "2")
    lines = settings_list(origins(read_settings())).splitlines()
    assert "  overlap                  2   [naysayer.toml]" in lines
    assert "  port                     9001   [environment]" in lines
    assert "  lora_rank                16" in lines
    assert kept_words("overlap", path, read_settings()).startswith(f"overlap is 2, from {path}")
    keep(read_data_dir(), "port", "9005")
    assert "wins here: port is 9001" in kept_words("port", path, read_settings())
