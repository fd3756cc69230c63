from ui.web.process import engine, settings


def test_settings_and_store_are_read_and_opened_once(tmp_path, monkeypatch):
    assert settings() is settings()
    assert engine() is engine()
    monkeypatch.setenv("NAYSAYER_DATA_DIR", str(tmp_path / "another"))
    assert settings().data_dir != tmp_path / "another"
