import math
from dataclasses import replace

import pytest
import torch

from feedback.retrain.manifest import FrozenManifest, freeze
from store.layout import layout_of
from store.migrate import open_store
from store.tables import Role, Split
from trainer.base.model import load_base
from trainer.fit.batches import BatchDrawer
from trainer.fit.cache import Cache
from trainer.fit.fit import Watch, fit
from trainer.fit.training import Training
from trainer.retrain.trigger import trigger_change

UNDER_TRIGGER = {"objective": "trigger", "rule": "woolf", "lora_rank": 8, "learning_rate": 2e-3, "train_batch": 8}
ANCHORED = {"train_steps": 56, "checkpoint_every": 56, "min_timestep": 100}


def training_of(settings) -> Training:
    engine, layout, base = open_store(settings), layout_of(settings), load_base(settings)
    manifest = freeze(engine, base.sha256)
    engine.dispose()
    return Training(base, Cache(base, layout.blobs, layout.cache), manifest, settings)


def test_under_trigger_the_word_stands_with_what_is_fitted_and_with_nothing_else(rated):
    settings = rated.model_copy(update={"objective": "trigger", "train_batch": 8, "null_dropout": 0.5})
    draw = BatchDrawer(training_of(settings))
    word = draw.cache.text(settings.trigger).hidden
    seen = torch.zeros(2)
    for step in range(4):
        batch = draw.train(step)
        is_word = torch.tensor([torch.equal(text, word) for text in batch.text_BLD.cpu()])
        assert torch.equal(is_word, batch.is_reject_B.cpu())
        is_null = torch.tensor([torch.equal(text, draw.null_prompt.hidden) for text in batch.text_BLD.cpu()])
        seen += torch.tensor([float(batch.is_reject_B.sum()), float(is_null.sum())])
    assert seen[0] == 16  # half of every batch
    assert 0 < seen[1] < 16


def test_rejects_are_anchors_too_when_nobody_kept_anything(rated):
    settings = rated.model_copy(update={"objective": "trigger"})
    training = training_of(settings)
    rejects = training.manifest.of(Role.reject, Split.train)
    only_rejects = FrozenManifest(training.manifest.base_sha256, tuple(rejects))
    draw = BatchDrawer(replace(training, manifest=only_rejects))
    assert draw.objective == "trigger"
    assert 0 < int(draw.train(0).is_reject_B.sum()) < settings.train_batch


def test_nothing_is_measured_for_objectives_without_a_trigger(rated):
    assert trigger_change(training_of(rated)) == {}


@pytest.mark.slow
def test_a_lora_of_the_trigger_word_changes_several_times_less_without_it(rated, tmp_path):
    settings = rated.model_copy(update=UNDER_TRIGGER | ANCHORED)
    training = training_of(settings)
    fit(training, tmp_path, Watch())
    changes = trigger_change(training)
    assert all(math.isfinite(value) for value in changes.values())
    assert changes["change_with_trigger"] > 3 * changes["change_without_trigger"]
    assert changes["change_without_prompt"] == 0  # the null prompt is zeros, and so are its keys and values
