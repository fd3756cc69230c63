import pytest
from torch import nn

from trainer.lora.names import ModuleNames, is_of_text, original_blocks, split_name

ENDINGS = {
    ".lora_down.weight": "down",
    ".lora_up.weight": "up",
    ".lora_A.weight": "down",
    ".lora_B.weight": "up",
    ".lora_A.default.weight": "down",
    ".lora_B.my_adapter-0.1.weight": "up",
    ".lora_A": "down",
    ".lora.down.weight": "down",
    ".lora.up.weight": "up",
    ".lora_linear_layer.down.weight": "down",
    ".lora_linear_layer.up.weight": "up",
    "_lora.down.weight": "down",
    "_lora.up.weight": "up",
    ".alpha": "alpha",
    ".lora.alpha": "alpha",
    ".lora_alpha": "alpha",
}


@pytest.mark.parametrize(("ending", "part"), ENDINGS.items())
def test_every_ending_tells_the_module_and_its_part(ending, part):
    for module in ("lora_unet_mid_block", "base_model.model.mid_block", "diffusion_model.middle_block.1"):
        assert split_name(module + ending) == (module, part)


@pytest.mark.parametrize(
    "name",
    ["mid.dora_scale", "mid.hada_w1_a", "mid.lora_up.bias", "mid.lora_up.scale_weight", "bundle_emb.x.clip_l", ""],
)
def test_what_is_not_part_of_a_lora_is_told(name):
    assert split_name(name) is None


PREFIXES = ("lora_unet_", "unet.", "", "base_model.model.", "base_model.model.unet.", "diffusion_model.", "lycoris_",
            "model.diffusion_model.", "lora_prior_unet_", "my_own_tool.")  # fmt: skip


@pytest.mark.parametrize("prefix", PREFIXES)
def test_every_layer_is_found_behind_any_prefix_with_dots_or_underscores(base, prefix):
    unet = base.pipe.unet
    names = ModuleNames(unet)
    layers = {path for path, module in unet.named_modules() if isinstance(module, nn.Linear | nn.Conv2d)}
    for path in layers:
        assert names.find(prefix + path) == path
        assert names.find(prefix + path.replace(".", "_")) == path
    blocks = {name: path for name, path in original_blocks(unet).items() if path in layers}
    for name, path in blocks.items():
        assert names.find(prefix + name) == path
    inner = "mid_block.attentions.0.transformer_blocks.0.attn1.to_q"
    assert names.find(f"{prefix}middle_block.1.transformer_blocks.0.attn1.to_q") == inner


def test_the_old_attention_processors_name_the_same_layers(base):
    names, block = ModuleNames(base.pipe.unet), "mid_block.attentions.0.transformer_blocks.0.attn1"
    assert names.find(f"unet.{block}.processor.to_q") == f"{block}.to_q"
    assert names.find(f"unet.{block}.processor.to_out") == f"{block}.to_out.0"


@pytest.mark.parametrize(
    "name", ["vae.decoder.conv_in", "first_stage_model.encoder.conv_out", "lora_unet_woof", "control_conv_in"]
)
def test_a_layer_of_another_network_is_not_found(base, name):
    assert ModuleNames(base.pipe.unet).find(name) is None


def test_the_original_blocks_are_all_in_the_unet(base):
    unet = base.pipe.unet
    paths = {path for path, _ in unet.named_modules()}
    found = {block for block, path in original_blocks(unet).items() if path in paths}
    assert {"input_blocks_1_0_in_layers_2", "input_blocks_2_0_op", "middle_block_1", "output_blocks_1_2_conv"} <= found
    assert "input_blocks_1_1" not in found  # the first level has no attention


SPELLINGS = {
    "lora_te1_text_model_": "lora_te2_text_model_",
    "text_encoder.text_model.": "text_encoder_2.text_model.",
    "text_encoder.": "text_encoder_2.",
    "text_encoders.clip_l.transformer.text_model.": "text_encoders.clip_g.transformer.text_model.",
    "clip_l.transformer.text_model.": "clip_g.transformer.text_model.",
    "base_model.model.text_encoder.text_model.": "base_model.model.text_encoder_2.text_model.",
    "conditioner.embedders.0.transformer.text_model.": "conditioner.embedders.1.model.text_model.",
}


@pytest.mark.parametrize("first", SPELLINGS)
def test_no_two_layers_of_a_text_encoder_share_a_spelling(base, first):
    layers = [
        f"{encoder}.text_model.encoder.layers.{layer}.self_attn.{part}_proj"
        for encoder in ("text_encoder", "text_encoder_2")
        for layer in (0, 1)
        for part in ("q", "k", "v", "out")
    ]
    names = ModuleNames(base.pipe.unet, layers)
    for layer in layers:
        encoder, _, rest = layer.partition(".text_model.")
        prefix = first if encoder == "text_encoder" else SPELLINGS[first]
        for inner in (rest, rest.replace(".", "_"), rest.replace("q_proj", "to_q").replace("out_proj", "to_out")):
            assert is_of_text(prefix + inner)
            assert names.find(prefix + inner) == layer
    assert names.find("lora_te1_text_model_encoder_layers_7_self_attn_q_proj") is None
