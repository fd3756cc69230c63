import subprocess
import sys
from pathlib import Path

import pytest
import torch

from feedback.recipe import Recipe
from feedback.versions import begin, note_plain
from store.engine import reading
from store.layout import layout_of
from store.migrate import open_store
from store.process.turns import RETRAIN
from store.settings import Settings
from store.tables import Version
from trainer.base.model import load_base, visit
from trainer.base.weights import BUILTIN_FOLDER
from trainer.card.choosing import Choice
from trainer.card.loading import CHOICE_FILE, examine_card, keep_choice, settle
from trainer.card.turn import left_beside, needs_of, place_of
from trainer.retrain.retrain import retrain

ROOT = Path(__file__).parents[3]
HOLDS = """
import sys, time
from pathlib import Path
from store.process.turns import Device, Stay, staying

folder, name, needs = sys.argv[1:]
with staying(Device(Path(folder), name), Stay("worker", "/other", int(needs)), lambda others: True, print) as turn:
    turn.loaded()
    print("in", flush=True)
    time.sleep(600)
"""
"""Another process that has a model of so many bytes on the device."""


def other(settings: Settings, **changes: object) -> Settings:
    """A base that is not the built-in one, with its weights."""
    return settings.model_copy(update={"model": str(BUILTIN_FOLDER), "lora_rank": 2} | changes)


def test_what_is_left_empty_is_chosen_and_said_and_what_is_set_holds(engine, settings):
    said: list[str] = []
    found = settle(engine, layout_of(settings), other(settings, sample_batch=3), said.append)
    assert (found.micro_batch, found.sample_batch, found.gradient_checkpointing) == (8, 3, False)
    assert len(said) == 1
    assert said[0].startswith("this machine: ")
    assert "it draws 3 pictures at once" in said[0]


def test_the_built_in_model_is_trained_the_same_whatever_the_machine(engine, settings):
    assert settle(engine, layout_of(settings), settings) == settings


def test_a_store_goes_on_drawing_as_it_began_where_nothing_is_set(engine, settings):
    begin(engine, "m", "0" * 64)
    note_plain(engine, {"base_quantization": "none", "vae_decode": "sliced"})
    with reading(engine) as session:
        assert Recipe.of(session.get_one(Version, 0)).vae_decode == "sliced"
    layout = layout_of(settings)
    assert settle(engine, layout, other(settings)).vae_decode == "sliced"
    assert settle(engine, layout, other(settings, vae_decode="whole")).vae_decode == "whole"


def test_a_resumed_retrain_goes_on_with_the_choice_it_began_with(engine, settings):
    layout, began = layout_of(settings), Choice(2, True, "none", 4, "whole", False)
    keep_choice(layout, other(settings, **began._asdict()))
    assert settle(engine, layout, other(settings), resumes=True).micro_batch == 2
    assert settle(engine, layout, other(settings)).micro_batch == 8


def test_what_was_counted_is_kept(engine, settings, tmp_path):
    first = examine_card(engine, other(settings), tmp_path)
    [file] = tmp_path.glob("sizes-*.json")
    before = file.stat().st_mtime_ns
    second = examine_card(engine, other(settings), tmp_path)
    assert first is not None and second is not None
    assert second.chosen.need == first.chosen.need
    assert file.stat().st_mtime_ns == before


@pytest.mark.parametrize("damage", ["", "[]", '{"unet": 3}'])
def test_a_damaged_record_is_counted_again(engine, settings, tmp_path, damage):
    first = examine_card(engine, other(settings), tmp_path)
    [file] = tmp_path.glob("sizes-*.json")
    whole = file.read_text()
    file.write_text(damage)
    assert first is not None
    assert examine_card(engine, other(settings), tmp_path).chosen.need == first.chosen.need
    assert file.read_text() == whole


def test_what_others_will_take_of_the_memory_is_not_chosen(engine, settings, tmp_path):
    own = other(settings, turns_dir=tmp_path / "turns")
    place = place_of(own)
    alone = examine_card(engine, own, tmp_path)
    room = round(needs_of(RETRAIN, own, place.device) + 10**7)
    taken = str(left_beside(place).whole - room)
    command = [sys.executable, "-c", HOLDS, str(place.shared.folder), place.shared.name, taken]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as other_process:
        assert other_process.stdout.readline() == b"in\n"
        beside = examine_card(engine, own, tmp_path)
        other_process.kill()
    assert alone is not None and beside is not None
    assert beside.memory.free <= room < alone.chosen.need.most
    assert beside.chosen.fits


def test_a_base_that_cannot_be_read_is_left_to_the_loader_to_explain(engine, settings, tmp_path):
    assert examine_card(engine, other(settings, model=str(tmp_path))) is None


def test_encoders_that_visit_the_device_read_as_before(settings):
    staying, visiting = load_base(settings), load_base(settings.model_copy(update={"offload_encoders": True}))
    for one, two in zip(
        staying.pipe.encode_prompt("a red star"), visiting.pipe.encode_prompt("a red star"), strict=True
    ):
        assert torch.equal(one, two)


def test_a_visiting_module_goes_to_the_device_works_and_comes_back():
    happened = []

    class Layer(torch.nn.Linear):
        def to(self, device):
            happened.append(str(device))
            return self

        def forward(self, x):
            happened.append("works")
            return super().forward(x)

    layer = Layer(2, 2)
    visit(layer, torch.device("cpu", 0))
    for _ in range(2):
        assert layer(torch.ones(1, 2)).shape == (1, 2)
    assert happened == ["cpu:0", "works", "cpu"] * 2


@pytest.mark.slow
def test_a_version_keeps_what_was_chosen_for_its_retrain(rated, caplog):
    caplog.set_level("INFO", "naysayer.card")
    retrain(rated.model_copy(update={"model": str(BUILTIN_FOLDER), "promotion": "gate"}), force=True)
    engine = open_store(rated)
    with reading(engine) as session:
        kept = session.get_one(Version, 1).settings
        began = Recipe.of(session.get_one(Version, 0))
    engine.dispose()
    names = ("micro_batch", "gradient_checkpointing", "sample_batch", "vae_decode", "offload_encoders")
    assert [kept[name] for name in names] == [rated.train_batch, False, 8, "whole", False]
    assert (began.base_quantization, began.vae_decode) == ("none", "whole")
    assert [record.message for record in caplog.records if record.message.startswith("this machine: ")]
    assert not (layout_of(rated).checkpoints / CHOICE_FILE).exists()
