"""What the text encoders make of prompts with weights, and of long ones; plain ones to the pipeline's own bits."""

import os
from pathlib import Path

import pytest
import torch
from diffusers import StableDiffusionXLPipeline
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from torch import Tensor
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from tests.trainer.conftest import quick_settings
from trainer.base.model import load_base
from trainer.prompts.encoding import Embeddings, Words, encode_texts, encode_words, of_one_length, reading_of

PLAIN = "a big red star on a blue background"
LONG = ", ".join(["a red star"] * 50)
"""200 tokens."""


def hidden_of(base, text: str, *, is_weighted: bool = True) -> Tensor:
    with torch.inference_mode():
        return encode_texts(base.pipe, [text], is_weighted=is_weighted)[0].hidden


def own(base, prompts: list[str], negative: list[str] | None = None) -> Embeddings:
    with torch.inference_mode():
        return Embeddings(*base.pipe.encode_prompt(prompts, negative_prompt=negative))


@pytest.mark.parametrize("negative", [None, ["ugly, blurred", ""]])
@pytest.mark.parametrize("is_weighted", [True, False])
def test_plain_prompts_are_the_pipelines_own_to_the_last_bit(base, negative, is_weighted):
    prompts = [PLAIN, "a green cat"]
    with torch.inference_mode():
        found = encode_words(base.pipe, Words(prompts, negative), is_weighted=is_weighted)
    for ours, theirs in zip(found, own(base, prompts, negative), strict=True):
        assert torch.equal(ours, theirs)


def test_without_zeros_for_no_negative_prompt_the_empty_text_stands_there(own_base):
    own_base.pipe.register_to_config(force_zeros_for_empty_prompt=False)
    with torch.inference_mode():
        found = encode_words(own_base.pipe, Words([PLAIN]), is_weighted=True)
    assert torch.equal(found.negative_prompt_embeds, own(own_base, [PLAIN]).negative_prompt_embeds)
    assert found.negative_prompt_embeds.abs().max() > 0


def test_switched_off_syntax_is_text_and_a_long_prompt_is_cut(base):
    for text in ("a (red:1.5) star", LONG):
        assert torch.equal(hidden_of(base, text, is_weighted=False), own(base, [text]).prompt_embeds[0])


def test_escaped_brackets_are_the_characters_and_unbalanced_ones_stay(base):
    assert torch.equal(hidden_of(base, "a star \\(red\\)"), own(base, ["a star (red)"]).prompt_embeds[0])
    assert torch.equal(hidden_of(base, "a (red star"), own(base, ["a (red star"]).prompt_embeds[0])


def test_a_heavier_word_goes_further_and_a_lighter_one_is_nearer_to_being_left_out(base):
    plain, empty = hidden_of(base, "a red star"), hidden_of(base, "")
    left_out = hidden_of(base, "a (red:0) star")
    steps = [hidden_of(base, f"a (red:{weight}) star") for weight in (1.2, 1.5, 2)]
    word = 2  # after the beginning and "a"
    reached = [torch.dot(step[word] - plain[word], plain[word] - empty[word]).item() for step in steps]
    assert 0 < reached[0] < reached[1] < reached[2]
    assert all(torch.equal(step[:word], plain[:word]) for step in steps)
    distances = [(hidden_of(base, f"a (red:{weight}) star") - left_out).norm() for weight in (0.25, 0.5, 0.75, 1)]
    assert distances == sorted(distances) and distances[0] > 0


def test_brackets_mean_what_their_numbers_mean(base):
    for brackets, number in (("((red))", "(red:1.21)"), ("[red]", "(red:0.9091)")):
        assert torch.equal(hidden_of(base, f"a {brackets} star"), hidden_of(base, f"a {number} star"))
    assert not torch.equal(hidden_of(base, "a (red) star"), hidden_of(base, "a red star"))


@pytest.mark.parametrize("is_weighted", [True, False])
def test_a_prompt_of_200_tokens_is_read_to_its_end(base, is_weighted):
    other = hidden_of(base, f"{LONG} and a cat", is_weighted=is_weighted)
    mine = hidden_of(base, f"{LONG} and a hand", is_weighted=is_weighted)
    assert len(mine) == (3 * 77 if is_weighted else 77)
    assert torch.equal(mine, other) is not is_weighted
    assert torch.equal(mine[:77], other[:77])


def test_after_break_the_encoders_begin_anew(base):
    both = hidden_of(base, "a red star BREAK a green cat")
    assert torch.equal(both, torch.cat([hidden_of(base, "a red star"), hidden_of(base, "a green cat")]))


def test_the_pooled_text_is_that_of_the_beginning_without_its_weights(base):
    with torch.inference_mode():
        weighted, long = encode_texts(base.pipe, ["a (red:1.5) star BREAK a cat", LONG], is_weighted=True)
    assert torch.equal(weighted.pooled, own(base, ["a red star"]).pooled_prompt_embeds[0])
    assert torch.equal(long.pooled, own(base, [LONG]).pooled_prompt_embeds[0])


def test_prompts_of_several_lengths_and_their_negative_prompt_are_made_equally_long(base):
    words = Words([PLAIN, LONG, "a BREAK b"], ["ugly"] * 3)
    with torch.inference_mode():
        found = encode_words(base.pipe, words, is_weighted=True)
    assert found.prompt_embeds.shape[:2] == found.negative_prompt_embeds.shape[:2] == (3, 6 * 77)
    assert found.pooled_prompt_embeds.shape[0] == 3


def test_a_repeated_text_is_the_same_to_the_unet(base):
    text = own(base, [PLAIN])
    size = torch.tensor([[64.0, 64, 0, 0, 64, 64]])
    added = {"text_embeds": text.pooled_prompt_embeds, "time_ids": size}
    noisy = torch.randn((1, 4, 16, 16), generator=torch.Generator().manual_seed(0))
    once, thrice = (
        base.pipe.unet(
            noisy, 800, torch.stack(of_one_length([text.prompt_embeds[0], beside])[:1]), added_cond_kwargs=added
        )
        for beside in (torch.zeros(77, 1), torch.zeros(231, 1))
    )
    torch.testing.assert_close(once.sample, thrice.sample, atol=1e-5, rtol=1e-5)


def test_the_reading_tells_embeddings_apart_only_where_they_differ(base):
    assert reading_of(base.pipe, PLAIN, is_weighted=True) == reading_of(base.pipe, LONG, is_weighted=False) == ""
    for text in ("a (red) star", "a star \\(red\\)", LONG, "a BREAK b"):
        assert reading_of(base.pipe, text, is_weighted=True).startswith("a1111 compel ")


@given(text=st.text(alphabet="()[]:. ,!19\\aéK猫", max_size=30), filler=st.integers(0, 60))
@hypothesis_settings(max_examples=40, deadline=None)
def test_whatever_people_write_gives_finite_embeddings_in_texts_of_77_tokens(base, text, filler):
    for prompt in (f"{'a star, ' * filler}{text}", f"{text} BREAK {text}"):
        hidden = hidden_of(base, prompt)
        assert len(hidden) % 77 == 0 and torch.isfinite(hidden).all()


@pytest.mark.parametrize("dtype", ["bf16", "fp16"])
def test_half_precision_keeps_its_type(tmp_path, dtype):
    half = load_base(quick_settings(tmp_path, dtype=dtype))
    for text in (PLAIN, "a (red:1.5) [big] star", LONG):
        hidden = hidden_of(half, text)
        assert hidden.dtype is half.dtype and torch.isfinite(hidden).all()


@pytest.fixture(scope="module")
def with_sdxls_tokenizers(base) -> StableDiffusionXLPipeline:
    """The built-in pipeline with the tokenizers of SDXL and small random text encoders for their vocabulary."""
    folder = os.environ.get("NAYSAYER_REALDATA")
    if not folder:
        pytest.skip("NAYSAYER_REALDATA is not set: the tokenizers of SDXL are not at hand")
    both = [CLIPTokenizer.from_pretrained(Path(folder) / "sdxl_config" / name) for name in ("tokenizer", "tokenizer_2")]
    size = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2}
    config = CLIPTextConfig(**size, projection_dim=16, eos_token_id=both[0].eos_token_id)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        encoders = {"text_encoder": CLIPTextModel(config), "text_encoder_2": CLIPTextModelWithProjection(config)}
    tokenizers = {"tokenizer": both[0], "tokenizer_2": both[1]}
    return StableDiffusionXLPipeline(**(base.pipe.components | encoders | tokenizers), add_watermarker=False)


@pytest.mark.parametrize(
    "beginning",
    [
        "masterpiece, (detailed hand:1.3), [blurry], " * 20,
        "wow!!! [! x] and (!!:0.5) " * 20,
        "a cat! BREAK [!] a dog! BREAK (!:0.2), [! !] ",
        "a cat, " + "and no comma " * 60,
        "猫 (手:1.4) é " * 30,
    ],
)
def test_with_sdxls_own_tokenizers_the_last_word_is_read(with_sdxls_tokenizers, beginning):
    with torch.inference_mode():
        hand, cat = encode_texts(with_sdxls_tokenizers, [f"{beginning} hand", f"{beginning} cat"], is_weighted=True)
    assert hand.hidden.shape == cat.hidden.shape and len(hand.hidden) >= 2 * 77
    assert torch.isfinite(hand.hidden).all()
    assert not torch.equal(hand.hidden, cat.hidden)
