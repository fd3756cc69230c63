"""Weights are hashed once; a change of their files is never overlooked."""

import json
import os
import time
from multiprocessing import get_context
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from store.files import sha256_of_file
from trainer.base.hashing import remembered
from trainer.base.hashing.remembered import TICK_NS, file_hash, recall, weights_hashes
from trainer.base.hashing.tensors import Weights, weights_hash


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "hashes").mkdir()
    return tmp_path / "hashes"


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Weights:
    """Weights whose file has lain there for an hour: the clock has gone on."""
    file = write(tmp_path / "weights", 1.0)
    let_time_pass(monkeypatch)
    return Weights((file,))


def write(file: Path, number: float) -> Path:
    save_file({"a": torch.full((4,), number)}, file)
    return file


def let_time_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    then = time.time_ns() + 3600 * 10**9
    monkeypatch.setattr(remembered.time, "time_ns", lambda: then)


def hash_once(folder: Path, weights: Weights) -> str:
    return weights_hashes({"unet": weights}, folder)["unet"]


def test_what_was_hashed_is_remembered_for_the_next_program(folder, weights):
    assert recall(folder, weights) is None
    found = hash_once(folder, weights)
    assert recall(folder, weights) == found == weights_hash(weights)


def test_a_file_that_was_only_touched_counts_as_another(folder, weights):
    hash_once(folder, weights)
    weights.files[0].touch()
    assert recall(folder, weights) is None


def test_a_file_that_may_have_changed_within_one_tick_is_not_remembered(folder, tmp_path):
    weights = Weights((write(tmp_path / "weights", 1.0),))
    hash_once(folder, weights)
    assert recall(folder, weights) is None


def test_a_file_from_the_future_is_not_remembered(folder, weights):
    later = time.time_ns() + TICK_NS
    os.utime(weights.files[0], ns=(later, later))
    hash_once(folder, weights)
    assert recall(folder, weights) is None


def test_a_changed_file_is_another_even_with_its_old_time_and_size(folder, weights):
    old = weights.files[0].stat()
    first = hash_once(folder, weights)
    write(weights.files[0], 2.0)
    os.utime(weights.files[0], ns=(old.st_atime_ns, old.st_mtime_ns))
    assert weights.files[0].stat().st_size == old.st_size
    assert recall(folder, weights) is None
    assert hash_once(folder, weights) == weights_hash(weights) != first


def test_a_file_that_changes_while_it_is_read_is_not_remembered(folder, weights, monkeypatch):
    def replaced_meanwhile(weights, tell):
        found = weights_hash(weights, tell)
        write(weights.files[0], 3.0)
        return found

    monkeypatch.setattr(remembered, "weights_hash", replaced_meanwhile)
    hash_once(folder, weights)
    assert list(folder.iterdir()) == []


def test_each_part_of_a_file_is_remembered_by_itself(folder, weights):
    parts = {"all": weights, "none": weights._replace(prefix="b.")}
    found = weights_hashes(parts, folder)
    assert found["all"] != found["none"]
    assert {name: recall(folder, part) for name, part in parts.items()} == found


def test_a_whole_files_hash_is_remembered_too_and_is_another(folder, weights):
    [file] = weights.files
    assert file_hash(file, folder) == file_hash(file, folder) == sha256_of_file(file) != hash_once(folder, weights)
    assert len(list(folder.iterdir())) == 2


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: "",
        lambda text: text[: len(text) // 2],
        lambda text: "[1, 2]",
        lambda text: json.dumps(json.loads(text) | {"sha256": "0" * 64}),
        lambda text: json.dumps(json.loads(text) | {"of": "another file"}),
    ],
)
def test_a_wrong_or_damaged_entry_is_ignored_and_made_good(folder, weights, damage):
    found = hash_once(folder, weights)
    [entry] = folder.iterdir()
    whole = entry.read_text()
    entry.write_text(damage(whole))
    assert recall(folder, weights) is None
    assert hash_once(folder, weights) == found
    assert entry.read_text() == whole


def test_without_a_folder_to_write_into_the_weights_are_hashed_each_time(folder, weights):
    missing = folder / "missing"
    assert hash_once(missing, weights) == hash_once(missing, weights) == weights_hash(weights)


def test_two_processes_at_once_leave_one_sound_entry(folder, tmp_path):
    file = write(tmp_path / "weights", 1.0)
    time.sleep(TICK_NS / 1e9 + 0.1)
    weights = Weights((file,))
    with get_context("fork").Pool(2) as pool:
        found = pool.starmap(hash_once, [(folder, weights)] * 6)
    assert set(found) == {weights_hash(weights)}
    assert len(list(folder.iterdir())) == 1
    assert recall(folder, weights) == found[0]
