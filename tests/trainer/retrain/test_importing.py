import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save
from sqlmodel import select

from feedback.sample.work import Job
from feedback.versions import get_version
from store.engine import reading
from store.errors import BadLora, Busy
from store.files import only_one
from store.layout import layout_of
from store.migrate import open_store
from store.safety.identity import MARK
from store.settings import Settings
from store.tables import Alias, AliasName, Version
from tests.trainer.conftest import quick_settings
from tests.trainer.foreign_files import kohya_names, random_lora, random_text_lora, text_encoder_part
from trainer.base.model import Base
from trainer.lora.formats import DIFFUSERS_FILE, KOHYA_FILE
from trainer.lora.tensors import attach_file, detach
from trainer.lora.text_encoders import text_layers
from trainer.retrain.importing import import_lora
from trainer.retrain.reloading import probe
from trainer.sample.sampler import Sampler
from trainer.sample.text import probe_text


@pytest.fixture
def theirs(base: Base, tmp_path: Path) -> Path:
    """A kohya file of rank 4 and alpha 8 on all layers, with a text-encoder part."""
    tensors = kohya_names(random_lora(base.pipe.unet, "all", 4), alpha=8.0)
    path = tmp_path / "wrong.safetensors"
    path.write_bytes(save(tensors | text_encoder_part(4), {"ss_output_name": "wrong"}))
    return path


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """The settings of a store that has begun."""
    quick = quick_settings(tmp_path / "data")
    open_store(quick).dispose()
    return quick


def versions_of(settings: Settings) -> list[int]:
    with reading(open_store(settings)) as session:
        return list(session.exec(select(Version.number).order_by(Version.number)))


def files_of(settings: Settings) -> list[Path]:
    return [
        path
        for path in layout_of(settings).root.rglob("*")
        if "versions" in path.parts and path.is_file() and path.name != MARK
    ]


def test_an_imported_file_is_the_challenger_and_says_where_it_came_from(settings, theirs):
    made = import_lora(settings, theirs, negative_prompt="wrong")
    engine = open_store(settings)
    version = get_version(engine, made.number)
    assert "63 modules, some of them the text encoders'" in made.sentence
    assert version.settings["lora_text_encoders"] is True
    assert version.settings["imported_from"] == "wrong.safetensors"
    assert version.settings["imported_ss_output_name"] == "wrong"
    assert (version.parent, version.manifest_id, version.rule) == (0, None, "same-prompt")
    with reading(engine) as session:
        assert session.get_one(Alias, AliasName.challenger).version == made.number


@torch.no_grad()
def test_it_predicts_what_the_library_makes_of_the_file_itself(settings, theirs, own_base):
    version = get_version(open_store(settings), import_lora(settings, theirs).number)
    unet_part = kohya_names(random_lora(own_base.pipe.unet, "all", 4), 8.0)
    plain = probe(own_base)
    own_base.pipe.load_lora_weights(unet_part, adapter_name="theirs")
    wanted = probe(own_base)
    own_base.pipe.unet.delete_adapters("theirs")
    sampler = Sampler(own_base, layout_of(settings))
    sampler._attach(version)
    own_base.pipe.unet.enable_adapters()
    found = probe(own_base)
    assert (wanted - plain).norm() > 0.01 * plain.norm()  # or the test would compare nothing
    torch.testing.assert_close(found - plain, wanted - plain, atol=2e-3, rtol=2e-2)


def test_its_text_encoders_give_what_the_library_makes_of_the_file_itself(settings, own_base, tmp_path):
    layers = text_layers(own_base.pipe)
    tensors = kohya_names(random_lora(own_base.pipe.unet, "all", 4) | random_text_lora(layers, 4), alpha=8.0)
    (tmp_path / "wrong.safetensors").write_bytes(save(tensors))
    version = get_version(open_store(settings), import_lora(settings, tmp_path / "wrong.safetensors").number)
    plain = probe_text(own_base.pipe)
    own_base.pipe.load_lora_weights(tensors, adapter_name="theirs")
    wanted = probe_text(own_base.pipe)
    own_base.pipe.delete_adapters("theirs")
    assert (wanted - plain).norm() > 0.05 * plain.norm()  # or the test would compare nothing
    for name in (DIFFUSERS_FILE, KOHYA_FILE):
        attach_file(own_base.pipe, layout_of(settings).version_folder(version.sha256) / name, "ours")
        torch.testing.assert_close(probe_text(own_base.pipe, "ours"), wanted, atol=2e-3, rtol=2e-2)
        detach(own_base.pipe, "ours")


def test_pictures_are_drawn_with_it_and_its_trigger_word(settings, theirs, own_base):
    version = get_version(open_store(settings), import_lora(settings, theirs, negative_prompt="wrong").number)
    sampler = Sampler(own_base, layout_of(settings))
    assert sampler.drawing_of(version).negative_prompt == "wrong"
    assert len(sampler.draw(version, [Job("a big red star", 1)])) == 1


def test_the_same_file_is_imported_once(settings, theirs):
    import_lora(settings, theirs)
    with pytest.raises(BadLora, match="a version already"):
        import_lora(settings, theirs)
    assert versions_of(settings) == [0, 1]


def without_effect(base: Base) -> bytes:
    return save({name: t * 0 for name, t in kohya_names(random_lora(base.pipe.unet, "attention", 2), 1.0).items()})


def overflowing(base: Base) -> bytes:
    return save({name: t * 1e5 for name, t in kohya_names(random_lora(base.pipe.unet, "all", 2), 2.0).items()})


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda base: b"woof", "cut short"),
        (lambda base: save(text_encoder_part(4)), "nothing for the UNet"),
        (without_effect, "nothing to compare"),
        (overflowing, "float16|NaN or infinite"),
    ],
)
def test_a_refused_file_leaves_no_version_and_no_file(settings, base, tmp_path, make, reason):
    path = tmp_path / "bad.safetensors"
    path.write_bytes(make(base))
    with pytest.raises(BadLora, match=reason):
        import_lora(settings, path)
    assert set(versions_of(settings)) <= {0}
    assert files_of(settings) == []


def test_while_a_retrain_runs_an_import_says_try_again(settings, theirs):
    with only_one(layout_of(settings).retrain_lock, "busy"), pytest.raises(Busy, match="a retrain runs"):
        import_lora(settings, theirs)


def test_the_same_lora_under_another_name_type_or_writer_is_a_version_already(settings, theirs, base, tmp_path):
    import_lora(settings, theirs)
    layout, engine = layout_of(settings), open_store(settings)
    published = layout.version_folder(get_version(engine, 1).sha256)
    again = [
        Path(shutil.copy(theirs, tmp_path / "wrong (1).safetensors")),
        published / DIFFUSERS_FILE,
        published / KOHYA_FILE,
        tmp_path / "retitled.safetensors",
    ]
    tensors = load_file(theirs)
    again[-1].write_bytes(save({name: tensors[name].double() for name in reversed(list(tensors))}, {"x": "y"}))
    for path in again:
        with pytest.raises(BadLora, match="the very same LoRA is v1 already"):
            import_lora(settings, path)
    assert versions_of(settings) == [0, 1]
    engine.dispose()


def test_our_own_export_of_a_trained_version_is_that_version(retrained):
    engine = open_store(retrained)
    published = layout_of(retrained).version_folder(get_version(engine, 1).sha256)
    for name in (DIFFUSERS_FILE, KOHYA_FILE):
        with pytest.raises(BadLora, match="the very same LoRA is v1 already"):
            import_lora(retrained, published / name)
    engine.dispose()


def test_what_was_left_out_is_said(settings, theirs):
    theirs.write_bytes(save(load_file(theirs) | {"bundle_emb.wrong.clip_l": torch.ones(2, 64)}))
    assert "1 key that belongs to no module" in import_lora(settings, theirs).sentence
