"""The exported folder as the library `datasets` reads it."""

import io
import warnings
from pathlib import Path

import pytest
from PIL import Image as Picture

from feedback.exchange.outgoing.chosen import Wanted
from feedback.exchange.outgoing.folder import export_folder
from feedback.pool.browse.gallery import Which
from tests.feedback.exchange.conftest import Rated

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    datasets = pytest.importorskip("datasets", reason="the package datasets is not installed")

pytestmark = pytest.mark.filterwarnings("default")  # theirs to mend


@pytest.fixture
def out(rated: Rated, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    return export_folder(rated.engine, rated.blobs, Wanted((*Wanted().parts, Which.disputed)), tmp_path / "out").folder


def test_the_pictures_load_as_an_imagefolder_with_caption_and_label(out: Path):
    found = datasets.load_dataset("imagefolder", data_dir=str(out / "train"), split="train")
    assert found.column_names[:3] == ["image", "caption", "label"]
    assert found["label"] == [None, 0, 0, 0, 1, 1, 1, 1]
    assert {one["image"].size for one in found} == {(8, 8)}
    assert found[1]["reasons"] == "hands; other"


def test_the_csv_loads_as_diffusion_kto_reads_it(out: Path):
    found = datasets.load_dataset("csv", data_files=str(out / "metadata.csv"), split="train")
    assert found.column_names[:3] == ["file_name", "caption", "label"]
    assert all((out / name).is_file() for name in found["file_name"])


def test_the_pairs_load_as_diffusion_dpo_reads_them(out: Path):
    found = datasets.load_dataset(str(out / "pairs"), split="train")
    assert {"jpg_0", "jpg_1", "label_0", "caption"} <= set(found.column_names)
    assert set(found["label_0"]) == {0, 1}
    assert Picture.open(io.BytesIO(found[0]["jpg_0"])).convert("RGB").size == (8, 8)


def test_the_folder_itself_loads_as_its_card_says(out: Path):
    assert datasets.get_dataset_config_names(str(out)) == ["default"]
    assert datasets.load_dataset(str(out), split="train")["label"] == [None, 0, 0, 0, 1, 1, 1, 1]
