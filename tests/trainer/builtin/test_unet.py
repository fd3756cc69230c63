from copy import deepcopy

import pytest
import torch

from trainer.builtin.build import new_pipeline
from trainer.builtin.unet import Lessons, new_scheduler, new_unet, train_unet
from trainer.builtin.vae import new_vae

PROMPTS = ["a red cat on mint", "a blue hand on sky"] * 20


@pytest.fixture(scope="module")
def lessons() -> Lessons:
    latents_BCHW = torch.randn(len(PROMPTS), 4, 16, 16, generator=torch.Generator().manual_seed(0))
    return Lessons(latents_BCHW, PROMPTS, 3, seed=0)


def weights_of(network: torch.nn.Module) -> dict[str, torch.Tensor]:
    return deepcopy(network.state_dict())


def is_same(network: torch.nn.Module, weights: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(tensor, weights[name]) for name, tensor in network.state_dict().items())


def test_training_changes_the_unet_and_both_text_encoders_but_not_the_vae(lessons):
    pipe = new_pipeline(new_vae(), seed=0)
    taught, vae = (pipe.unet, pipe.text_encoder, pipe.text_encoder_2), weights_of(pipe.vae)
    before = [weights_of(network) for network in taught]
    train_unet(pipe, lessons)
    assert not any(is_same(network, weights) for network, weights in zip(taught, before, strict=True))
    assert is_same(pipe.vae, vae)
    assert not any(network.training for network in taught)


def test_rough_pipelines_are_saved_now_and_then_and_the_last_is_the_result(lessons):
    pipe, rough = new_pipeline(new_vae(), seed=0), []
    train_unet(pipe, lessons._replace(steps=4), rough.append, save_every=2)
    assert len(rough) == 2
    assert is_same(pipe.unet, rough[1].unet.state_dict())
    assert not is_same(pipe.unet, rough[0].unet.state_dict())


def test_the_unet_takes_sdxls_conditioning():
    unet = new_unet()
    assert (unet.config.addition_embed_type, unet.config.cross_attention_dim) == ("text_time", 128)
    assert 2e6 < sum(parameter.numel() for parameter in unet.parameters()) < 3e6


def test_the_noise_schedule_is_sdxls():
    scheduler = new_scheduler()
    assert scheduler.alphas_cumprod[0] == pytest.approx(1 - 0.00085)
    assert scheduler.alphas_cumprod[-1] == pytest.approx(0.0047, abs=1e-4)
