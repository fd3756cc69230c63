from pathlib import Path

import pytest

from store.layout import Layout


def test_asking_for_a_path_creates_nothing(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "data")
    sha256 = "ab" + "0" * 62
    assert layout.blobs.path(sha256) == tmp_path / "data" / "blobs" / "ab" / sha256
    assert layout.display_copy(sha256) == tmp_path / "data" / "display" / "ab" / sha256
    assert layout.version_folder(sha256) == tmp_path / "data" / "versions" / sha256
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["", "../x", "AB" + "0" * 62, "0" * 63])
def test_only_a_hash_has_a_path(name: str, tmp_path: Path) -> None:
    for path in (Layout(tmp_path).blobs.path, Layout(tmp_path).display_copy):
        with pytest.raises(ValueError, match="SHA-256"):
            path(name)
