import pytest

from store.settings import Settings


@pytest.fixture(autouse=True)
def shell(tmp_path, monkeypatch):
    """An empty folder to start from, and no settings in the environment."""
    monkeypatch.chdir(tmp_path)
    for name in [f"NAYSAYER_{field.upper()}" for field in Settings.model_fields]:
        monkeypatch.delenv(name, raising=False)
    return monkeypatch
