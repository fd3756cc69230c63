import pytest
import torch
from diffusers import UNet2DConditionModel

from trainer.base.model import Base
from trainer.lora.text_encoders import text_layers


@pytest.fixture(scope="module")
def unet(base: Base) -> UNet2DConditionModel:
    return base.pipe.unet


@pytest.fixture(scope="module")
def layers(base: Base) -> dict[str, torch.nn.Linear]:
    return text_layers(base.pipe)
