from pathlib import Path

import pytest

from bench.card.parts import subject as subjects
from bench.card.parts.subject import FULL_SIZE, PICTURES, prepare
from store.errors import BadRequest
from store.tables import Role, Split
from trainer.base.model import Base


def test_the_pool_has_rejects_and_keeps_and_holds_nothing_out(subject):
    manifest = subject.training(64).manifest
    assert len(manifest.of(Role.reject, Split.train)) == len(manifest.of(Role.keep, Split.train)) == PICTURES // 2
    assert len(manifest.items) == PICTURES


def test_one_base_is_loaded_once_until_it_is_dropped(subject):
    first = subject.base
    assert isinstance(first, Base)
    assert subject.base is first
    subject.drop()
    assert subject.base is not first


def test_changes_of_a_training_leave_the_base_as_it_is(subject):
    training = subject.training(64, train_steps=7, deterministic=True)
    assert (training.settings.train_steps, training.base.settings.train_steps) == (7, 7)
    assert subject.base.settings.train_steps == 0
    assert training.base.pipe is subject.base.pipe


def test_a_disk_without_room_is_refused_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(subjects, "DISK_BYTES", 10**18)
    with pytest.raises(BadRequest, match="--folder"):
        prepare(tmp_path, FULL_SIZE, "cpu")
    assert list(tmp_path.iterdir()) == []
