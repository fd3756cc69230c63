import pytest
from torch import nn

from trainer.lora.names import HALVES, module_names, original_blocks, split_name, text_module_names


@pytest.mark.parametrize(("ending", "part"), HALVES.items())
def test_every_ending_tells_the_module_and_its_part(ending, part):
    assert split_name(f"lora_unet_mid_block{ending}") == ("lora_unet_mid_block", part)


@pytest.mark.parametrize("name", ["mid.dora_scale", "mid.hada_w1_a", "mid.lora_up.bias", ""])
def test_what_is_not_part_of_a_lora_is_told(name):
    assert split_name(name) is None


def test_every_layer_has_kohyas_and_diffusers_names_and_the_bare_one(base):
    unet = base.pipe.unet
    known = module_names(unet)
    layers = {path for path, module in unet.named_modules() if isinstance(module, nn.Linear | nn.Conv2d)}
    assert set(known.values()) == layers
    for path in layers:
        for name in (f"lora_unet_{path.replace('.', '_')}", f"unet.{path}", path, f"base_model.model.{path}"):
            assert known[name] == path


def test_the_old_attention_processors_name_the_same_layers(base):
    known, block = module_names(base.pipe.unet), "mid_block.attentions.0.transformer_blocks.0.attn1"
    assert known[f"unet.{block}.processor.to_q"] == f"{block}.to_q"
    assert known[f"unet.{block}.processor.to_out"] == f"{block}.to_out.0"


def test_the_original_blocks_are_all_in_the_unet(base):
    unet = base.pipe.unet
    paths = {path for path, _ in unet.named_modules()}
    found = {block for block, path in original_blocks(unet).items() if path in paths}
    assert {"input_blocks_1_0_in_layers_2", "input_blocks_2_0_op", "middle_block_1", "output_blocks_1_2_conv"} <= found
    assert "input_blocks_1_1" not in found  # the first level has no attention


def test_no_two_layers_of_a_text_encoder_share_a_spelling():
    layers = [
        f"{encoder}.text_model.encoder.layers.{layer}.self_attn.{part}_proj"
        for encoder in ("text_encoder", "text_encoder_2")
        for layer in (0, 1)
        for part in ("q", "k", "v", "out")
    ]
    known = text_module_names(layers)
    assert set(known.values()) == set(layers)
    assert len(known) == 4 * len(layers)
    assert known["text_encoder_2.encoder.layers.1.self_attn.out_proj"] == layers[-1]
    assert known["text_encoder.text_model.encoder.layers.0.self_attn.to_q"] == layers[0]
