import pytest
from diffusers.utils import logging

from store.errors import ModelError
from store.settings import Settings
from trainer.base import pipeline
from trainer.base.model import load_base
from trainer.base.weights import BUILTIN_FOLDER


def test_loading_tells_of_each_component_by_its_bytes(tmp_path):
    own, shares = logging.tqdm, list[float]()
    load_base(Settings(data_dir=tmp_path, _env_file=None), shares.append)
    assert sum(shares) == pytest.approx(1)
    whole = sum(file.stat().st_size for file in BUILTIN_FOLDER.glob("*/*"))
    unet = sum(file.stat().st_size for file in (BUILTIN_FOLDER / "unet").glob("*"))
    assert max(shares) == pytest.approx(unet / whole, rel=0.1)
    assert logging.tqdm is own


def test_the_shards_of_a_component_do_not_count_as_components(tmp_path):
    model, shares = tmp_path / "model", list[float]()
    load_base(Settings(data_dir=tmp_path, _env_file=None)).pipe.save_pretrained(model, max_shard_size="400KB")
    assert len(list((model / "unet").glob("*.safetensors"))) > 1
    load_base(Settings(data_dir=tmp_path, model=str(model), _env_file=None), shares.append)
    assert sum(shares) == pytest.approx(1)


def test_without_a_listener_a_bar_shows_how_far_it_is(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(pipeline, "SHOWN_AFTER_S", 0)
    load_base(Settings(data_dir=tmp_path, _env_file=None))
    assert "loading the model: 100%" in capsys.readouterr().err


def test_a_model_that_does_not_load_leaves_the_librarys_bar_as_it_was(tmp_path):
    own, broken = logging.tqdm, tmp_path / "model"
    broken.mkdir()
    (broken / "model_index.json").write_text('{"_class_name": "StableDiffusionXLPipeline", "unet": ["diffusers", "X"]}')
    with pytest.raises(ModelError):
        load_base(Settings(data_dir=tmp_path, model=str(broken), _env_file=None))
    assert logging.tqdm is own
