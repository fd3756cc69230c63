import pytest

from store.errors import BadRequest, DamagedStore
from store.files import sha256_of
from store.layout import layout_of
from tests.ui.export.conftest import DIFFUSERS, KOHYA
from ui.export.export import Format, export_lora


@pytest.mark.parametrize(
    ("form", "name", "content"),
    [
        (Format.diffusers, "pytorch_lora_weights.safetensors", DIFFUSERS),
        (Format.kohya, "naysayer-v1-kohya.safetensors", KOHYA),
        (Format.comfyui, "naysayer-v1-kohya.safetensors", KOHYA),
    ],
)
def test_the_exported_file_is_the_published_one_beside_its_card(published, tmp_path, form, name, content):
    export_lora(published, 1, form, tmp_path / "out")
    assert (tmp_path / "out" / name).read_bytes() == content
    card = (tmp_path / "out/README.md").read_text()
    assert card.startswith("---\n")
    assert "license: apache-2.0" in card
    assert sha256_of(DIFFUSERS) in card


def test_nothing_is_overwritten(published, tmp_path):
    (tmp_path / "README.md").write_text("mine")
    with pytest.raises(BadRequest, match="exists already"):
        export_lora(published, 1, Format.kohya, tmp_path)
    assert [path.name for path in tmp_path.glob("*.*")] == ["README.md"]


def test_an_altered_file_is_not_exported(published, tmp_path):
    path = layout_of(published).version_folder(sha256_of(DIFFUSERS)) / "naysayer_kohya.safetensors"
    path.write_bytes(b"altered")
    with pytest.raises(DamagedStore, match="not exported"):
        export_lora(published, 1, Format.kohya, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_plain_base_has_no_lora_to_export(published, tmp_path):
    with pytest.raises(BadRequest, match="plain base"):
        export_lora(published, 0, Format.kohya, tmp_path / "out")
