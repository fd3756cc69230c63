import pytest
import torch
from torch import nn
from torch.nn import functional

from store.settings import Settings
from tests.trainer.fitting import drawer
from trainer.base.memory import checkpoint_blocks
from trainer.base.weights import find_sources
from trainer.card.counting import Peak, peak_of
from trainer.card.sizes import STATES, count, shape_of
from trainer.fit.loss import predict
from trainer.lora.tensors import add_fresh


@pytest.fixture(scope="module")
def counted(tmp_path_factory):
    settings = Settings(_env_file=None, lora_rank=2, data_dir=tmp_path_factory.mktemp("data"))
    return count(shape_of(find_sources(settings), settings, torch.float32))


def test_the_peak_holds_what_lives_at_once_and_not_what_was_released():
    layer = nn.Linear(1024, 1024, bias=False, device="meta").requires_grad_(False)

    def work():
        x = torch.empty(1024, 1024, device="meta")
        for _ in range(5):
            x = layer(x)

    assert peak_of(work, layer) == 2 * 4 * 1024**2


def test_attention_keeps_no_matrix():
    query = torch.empty(1, 2, 4096, 64, device="meta", dtype=torch.bfloat16)
    taken = peak_of(lambda: functional.scaled_dot_product_attention(query, query, query), nn.Identity())
    assert taken < 4 * query.nbytes


def test_under_autocast_products_are_in_half_and_norms_in_float32():
    kinds = []
    x = torch.empty(2, 8, device="meta", dtype=torch.bfloat16)
    weight = torch.empty(8, 8, device="meta")

    def work():
        kinds.append(functional.linear(x.float(), weight).dtype)
        kinds.append(functional.layer_norm(x, (8,)).dtype)

    peak_of(work, nn.Identity(), torch.bfloat16)
    assert kinds == [torch.bfloat16, torch.float32]


@pytest.mark.parametrize("again", [False, True])
def test_a_pass_is_counted_without_weights_as_its_real_tensors_are(again, counted, rated, own_base):
    settings, unet = rated.model_copy(update={"objective": "sft"}), own_base.pipe.unet
    batch = drawer(settings, own_base).train(0)
    rows = len(batch.timesteps_B)
    parameters = add_fresh(unet, 2, "all", 0)
    with checkpoint_blocks(unet, again), Peak([*unet.parameters(), *unet.buffers()]) as peak:
        torch.autograd.backward((predict(unet, batch).float() - batch.target_BCHW).pow(2).mean())
    assert rows * counted["latent_checkpointed" if again else "latent"] == pytest.approx(peak.most, rel=0.15)
    assert counted["lora"] == STATES * sum(parameter.nbytes for parameter in parameters)


def test_checkpointing_needs_less_and_weights_are_those_of_the_loaded_model(counted, own_base):
    assert counted["latent_checkpointed"] < 0.6 * counted["latent"]
    assert counted["unet"] == sum(parameter.nbytes for parameter in own_base.pipe.unet.parameters())
    assert counted["vae"] == sum(parameter.nbytes for parameter in own_base.pipe.vae.parameters())
