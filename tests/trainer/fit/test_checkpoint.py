import os
import resource
import signal
from pathlib import Path

import numpy as np
import pytest
import torch

from store.layout import layout_of
from tests.trainer.fitting import fit_here, frozen
from trainer.fit.checkpoint import State, newest_checkpoint, save_checkpoint
from trainer.fit.fit import Watch
from trainer.retrain.provenance import checkpoint_folder

LEARNED = {
    "weights": [torch.arange(3.0), torch.tensor([1, 2], dtype=torch.uint8)],
    "optimizer": {"state": {0: {"step": torch.tensor(4.0), "ratio": 0.1, "flag": True}}, "groups": [{"betas": [0.9]}]},
    "scaler": None,
}


def equal(found: object, wanted: object) -> bool:
    if isinstance(wanted, torch.Tensor):
        return isinstance(found, torch.Tensor) and found.dtype == wanted.dtype and torch.equal(found, wanted)
    if isinstance(wanted, dict):
        return (
            isinstance(found, dict)
            and found.keys() == wanted.keys()
            and all(equal(found[k], wanted[k]) for k in wanted)
        )
    if isinstance(wanted, list):
        return isinstance(found, list) and all(map(equal, found, wanted)) and len(found) == len(wanted)
    return found == wanted


def test_a_nested_state_comes_back_as_it_was(tmp_path):
    save_checkpoint(tmp_path, State(7, [{"step": 7, "loss": 0.1}], LEARNED))
    back = newest_checkpoint(tmp_path)
    assert (back.step, back.curve) == (7, [{"step": 7, "loss": 0.1}])
    assert equal(back.learned, LEARNED)


def test_a_half_written_checkpoint_is_not_taken_for_one(tmp_path):
    save_checkpoint(tmp_path, State(2, [], LEARNED))
    left = tmp_path / ".staging-000004"
    left.mkdir()
    (left / "state.json").write_text("{")
    assert newest_checkpoint(tmp_path).step == 2
    save_checkpoint(tmp_path, State(4, [], LEARNED))
    assert [folder.name for folder in tmp_path.iterdir()] == ["step-000004"]


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("file", ["state.json", "state.safetensors", "state.sha256"])
@pytest.mark.parametrize(
    "harm", [Path.unlink, flip, lambda path: path.write_bytes(b""), lambda path: (path.unlink(), path.mkdir())]
)
def test_a_damaged_or_incomplete_checkpoint_is_told_and_not_used(tmp_path, file, harm, caplog):
    save_checkpoint(tmp_path, State(40, [], LEARNED))
    harm(tmp_path / "step-000040" / file)
    assert newest_checkpoint(tmp_path) is None
    assert "step-000040 is damaged or incomplete, so the fit starts again" in caplog.text
    save_checkpoint(tmp_path, State(2, [], LEARNED))
    assert [folder.name for folder in tmp_path.iterdir()] == ["step-000002"]
    assert newest_checkpoint(tmp_path).step == 2


def test_a_damaged_checkpoint_of_the_same_step_is_written_again(tmp_path):
    save_checkpoint(tmp_path, State(2, [], LEARNED))
    flip(tmp_path / "step-000002" / "state.safetensors")
    save_checkpoint(tmp_path, State(2, [], LEARNED))
    assert equal(newest_checkpoint(tmp_path).learned, LEARNED)


def test_what_is_no_checkpoint_is_left_alone(tmp_path):
    (tmp_path / "step-notes.txt").write_text("mine")
    (tmp_path / "step-000009").write_text("a file")
    save_checkpoint(tmp_path, State(2, [], LEARNED))
    assert newest_checkpoint(tmp_path).step == 2
    assert (tmp_path / "step-notes.txt").exists()


def save_on_a_full_disk(folder: Path) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
    try:
        save_checkpoint(folder, State(4, [], {"weights": torch.zeros(100_000)}))
    except OSError:
        os._exit(9)


def test_on_a_full_disk_the_last_checkpoint_stays(tmp_path, exit_code_of):
    save_checkpoint(tmp_path, State(2, [], LEARNED))
    assert exit_code_of(save_on_a_full_disk, tmp_path) == 9
    assert newest_checkpoint(tmp_path).step == 2
    save_checkpoint(tmp_path, State(4, [], LEARNED))
    assert newest_checkpoint(tmp_path).step == 4


@pytest.mark.slow
def test_a_resumed_fit_draws_the_same_chance_from_every_generator(rated, tmp_path):
    def drawing(chances: dict[int, tuple]) -> Watch:
        def draw(step: int, _: int) -> None:
            chances[step] = (torch.rand(1).item(), np.random.rand())

        return Watch(draw, lambda: len(chances) == 2)

    broken: dict[int, tuple] = {}
    with pytest.raises(Exception, match="stopped at step 3"):
        fit_here(rated, tmp_path / "a", drawing(broken))
    torch.rand(5)
    rest: dict[int, tuple] = {}
    fit_here(
        rated, tmp_path / "a", Watch(lambda step, _: rest.setdefault(step, (torch.rand(1).item(), np.random.rand())))
    )
    whole: dict[int, tuple] = {}
    fit_here(
        rated, tmp_path / "b", Watch(lambda step, _: whole.setdefault(step, (torch.rand(1).item(), np.random.rand())))
    )
    assert broken | rest == whole
    assert len(set(whole.values())) == 6


def test_other_data_or_settings_have_checkpoints_of_their_own(rated, base):
    layout = layout_of(rated)
    with frozen(rated, base) as manifest:
        fewer = type(manifest)(manifest.base_sha256, manifest.items[1:])

    def folder(found=manifest, **changes) -> Path:
        return checkpoint_folder(layout, found, rated.model_copy(update=changes))

    others = [
        folder(),
        folder(fewer),
        folder(learning_rate=1e-3),
        folder(base_quantization="int8"),
    ]
    assert len(set(others)) == len(others)
    # What changes nothing but the use of the machine lets a run go on: after it ran out of memory, above all.
    assert {folder(micro_batch=1), folder(gradient_checkpointing=True)} == {folder()}
