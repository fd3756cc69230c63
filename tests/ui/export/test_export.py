from zipfile import ZipFile

import pytest

from store.errors import BadRequest, DamagedStore
from store.files import sha256_of
from store.layout import layout_of
from tests.ui.export.conftest import DIFFUSERS, KOHYA
from ui.export.export import export_lora
from ui.export.files import Format


@pytest.mark.parametrize(
    ("form", "name", "content", "card"),
    [
        (Format.diffusers, "pytorch_lora_weights.safetensors", DIFFUSERS, "README.md"),
        (Format.kohya, "naysayer-v1-kohya.safetensors", KOHYA, "README.md"),
        (Format.comfyui, "naysayer-v1-kohya.safetensors", KOHYA, "README.txt"),
    ],
)
def test_the_exported_file_is_the_published_one_beside_what_is_to_be_known(
    published, tmp_path, form, name, content, card
):
    export_lora(published, 1, form, tmp_path / "out")
    assert (tmp_path / "out" / name).read_bytes() == content
    assert "Apache-2.0" in (tmp_path / "out" / card).read_text()


def test_the_model_card_has_what_hubs_read(published, tmp_path):
    export_lora(published, 1, Format.kohya, tmp_path / "out")
    card = (tmp_path / "out/README.md").read_text()
    assert card.startswith("---\n")
    assert "license: apache-2.0" in card
    assert sha256_of(DIFFUSERS) in card


@pytest.mark.parametrize("form", Format)
def test_a_zip_holds_the_files_of_the_folder_and_is_the_same_each_time(published, tmp_path, form):
    files = export_lora(published, 1, form, tmp_path / "folder")
    made = [export_lora(published, 1, form, tmp_path / name, is_zipped=True) for name in ("one", "two")]
    assert [path.name for path in made[0]] == [f"naysayer-v1-{form}.zip"]
    assert made[0][0].read_bytes() == made[1][0].read_bytes()
    with ZipFile(made[0][0]) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == {f.name: f.read_bytes() for f in files}


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
