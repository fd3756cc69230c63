import torch
from diffusers import UNet2DConditionModel

from trainer.lora.tensors import add_fresh, round_to_half, trained_tensors


def small_unet() -> UNet2DConditionModel:
    return UNet2DConditionModel(
        block_out_channels=(8, 16),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=8,
        attention_head_dim=4,
        norm_num_groups=4,
    )


def test_a_fresh_adapter_is_without_effect_and_depends_only_on_its_seed():
    networks = [small_unet() for _ in range(3)]
    for network, seed in zip(networks, (0, 0, 1), strict=True):
        assert all(parameter.dtype == torch.float32 for parameter in add_fresh(network, 2, "attention", seed))
    same, also, other = (trained_tensors(network) for network in networks)
    assert all(torch.equal(same[name], also[name]) for name in same)
    assert any(not torch.equal(same[name], other[name]) for name in same)
    assert all(not tensor.any() for name, tensor in same.items() if "lora_B" in name)


def test_what_is_trained_is_what_the_published_half_precision_holds():
    parameters = add_fresh(small_unet(), 2, "attention", 0)
    assert any(not torch.equal(parameter, parameter.half().float()) for parameter in parameters)
    round_to_half(parameters)
    assert all(torch.equal(parameter, parameter.half().float()) for parameter in parameters)


def test_more_layers_are_adapted_when_all_are_asked_for():
    counts = []
    for layers in ("text", "attention", "all"):
        network = small_unet()
        add_fresh(network, 2, layers, 0)
        counts.append(len(trained_tensors(network)))
    assert 0 < counts[0] < counts[1] < counts[2]
