import pytest
import torch

from tests.trainer.text_adapters import add_text_adapter
from trainer.lora.tensors import TRAINED, add_fresh
from trainer.lora.text_encoders import encode_tokens, has_text_lora, text_layers, tokens_of


def test_tokens_become_what_the_pipeline_itself_makes_of_the_text(base):
    prompts = ["a red cat on mint", ""]
    tokens_BEL = torch.stack([tokens_of(base.pipe, prompt) for prompt in prompts])
    with torch.no_grad():
        hidden, pooled = encode_tokens(base.pipe, tokens_BEL)
        wanted = base.pipe.encode_prompt(prompts, do_classifier_free_guidance=False)
    torch.testing.assert_close(hidden, wanted[0])
    torch.testing.assert_close(pooled, wanted[2])


def test_no_text_is_told_from_the_empty_text(base):
    empty, nothing = tokens_of(base.pipe, ""), tokens_of(base.pipe, None)
    assert (nothing < 0).all() and torch.equal(-1 - nothing, empty)


def test_a_long_text_is_cut_to_the_encoders_length(base):
    assert tokens_of(base.pipe, "red " * 500).shape == (2, 77)


def test_the_layers_of_both_encoders_have_our_names(base):
    layers = text_layers(base.pipe)
    for prefix, encoder in (("text_encoder", base.pipe.text_encoder), ("text_encoder_2", base.pipe.text_encoder_2)):
        own = [name for name in layers if name.startswith(f"{prefix}.text_model.encoder.layers.")]
        assert len(own) == 6 * encoder.config.num_hidden_layers
    assert "text_encoder_2.text_projection" not in layers


@pytest.mark.parametrize("is_on_text", [False, True])
def test_an_adapter_on_a_text_encoder_is_found(is_on_text, own_base):
    add_fresh(own_base.pipe.unet, 2, "text", 0)
    if is_on_text:
        add_text_adapter(own_base.pipe, 2)
    assert has_text_lora(own_base.pipe, TRAINED) == is_on_text
    assert not has_text_lora(own_base.pipe, "another")
