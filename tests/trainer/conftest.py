"""A small rated store, made once by the real sampler and copied for each test."""

import shutil
import uuid
from pathlib import Path

import pytest
import torch
from sqlalchemy import Engine

from feedback.rate.queue import next_images
from feedback.rate.terms import Terms
from feedback.rate.votes import Press, record_votes
from store.migrate import open_store
from store.settings import Settings
from store.tables import Verdict
from tests.trainer.text_adapters import add_text_adapter
from trainer.base.model import Base, load_base
from trainer.lora.tensors import add_fresh
from trainer.retrain.retrain import retrain
from trainer.sample.worker import generate

PICTURES = 24


def quick_settings(data_dir: Path, **changes: object) -> Settings:
    """Settings under which a whole retrain takes seconds."""
    quick = {
        "num_inference_steps": 2,
        "queue_target": PICTURES,
        "evaluation_pairs": 2,
        "retrain_after": 8,
        "auto_retrain": False,
        "train_steps": 6,
        "sweep_pictures": 4,
        "train_batch": 4,
        "checkpoint_every": 2,
        "lora_rank": 2,
        "cross_fit": False,
    }
    return Settings(_env_file=None, data_dir=data_dir, **(quick | changes))  # type: ignore[arg-type]


def rate_everything(engine: Engine, settings: Settings) -> int:
    """Votes on all that waits, every second picture a reject; how many there were."""
    images = next_images(engine, "ann", Terms(settings.overlap, 60), count=1000)
    presses = [
        Press(uuid.uuid4().hex, image.image_id, Verdict.reject if image.image_id % 2 else Verdict.keep)
        for image in images
    ]
    record_votes(engine, "ann", presses, Terms(settings.overlap, 60))
    return len(images)


@pytest.fixture(scope="session")
def rated_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("template") / "data"
    settings = quick_settings(folder)
    assert generate(settings, once=True) == PICTURES + 2
    engine = open_store(settings)
    assert rate_everything(engine, settings) == PICTURES
    engine.dispose()
    return folder


@pytest.fixture
def rated(rated_template: Path, tmp_path: Path) -> Settings:
    """The settings of a store with 24 pictures of v0, half of them rejects."""
    shutil.copytree(rated_template, tmp_path / "data")
    return quick_settings(tmp_path / "data")


@pytest.fixture(scope="session")
def retrained_template(rated_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("retrained") / "data"
    shutil.copytree(rated_template, folder)
    assert retrain(quick_settings(folder)).version == 1
    return folder


@pytest.fixture
def retrained(retrained_template: Path, tmp_path: Path) -> Settings:
    """The settings of that store once v1, a challenger, was trained on it."""
    shutil.copytree(retrained_template, tmp_path / "data")
    return quick_settings(tmp_path / "data")


@pytest.fixture(scope="session")
def base() -> Base:
    """The base model, shared by the tests that leave it as they found it."""
    return load_base(quick_settings(Path("unused")))


@pytest.fixture
def own_base() -> Base:
    """A base model that a test may change."""
    return load_base(quick_settings(Path("unused")))


@pytest.fixture
def taught(own_base: Base) -> Base:
    """A base with an adapter on UNet and text encoders that has an effect, as after a fit."""
    return with_effect(own_base)


@torch.no_grad()
def with_effect(base: Base) -> Base:
    """The base, with such an adapter."""
    random = torch.Generator().manual_seed(1)
    for parameter in add_fresh(base.pipe.unet, 4, "all", 0) + add_text_adapter(base.pipe, 4):
        parameter.add_(torch.randn(parameter.shape, generator=random) * 0.05).copy_(parameter.half())
    return base
