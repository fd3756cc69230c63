import pytest
import torch

from trainer.builtin.text import TOKENS, new_text_encoders, new_tokenizers
from trainer.world.scenes import all_scenes, phrasings


@pytest.fixture(scope="module")
def tokenizers():
    return new_tokenizers()


def test_the_two_tokenizers_differ_only_in_their_padding(tokenizers):
    first, second = tokenizers
    assert first.get_vocab() == second.get_vocab()
    assert (first.pad_token, second.pad_token) == ("<|endoftext|>", "!")


def test_the_tokens_of_a_caption_read_back_as_the_caption(tokenizers):
    for scene in all_scenes()[::17]:
        caption = phrasings(scene)[0].lower()
        tokens = tokenizers[0](caption).input_ids
        read = tokenizers[0].decode(tokens, skip_special_tokens=True)
        assert read.replace(" ", "") == caption.replace(" ", "")


def test_every_caption_fits_into_the_encoders(tokenizers):
    captions = [caption for scene in all_scenes()[::7] for caption in phrasings(scene)]
    assert max(len(tokens) for tokens in tokenizers[0](captions).input_ids) < TOKENS


def test_the_second_last_states_are_sixty_four_wide_and_one_encoder_projects(tokenizers):
    first, second = new_text_encoders(tokenizers[0])
    tokens_BL = torch.tensor([tokenizers[0]("a red cat on mint", padding="max_length").input_ids])
    with torch.no_grad():
        seen = [encoder(tokens_BL, output_hidden_states=True) for encoder in (first, second)]
    assert [states.hidden_states[-2].shape for states in seen] == [(1, TOKENS, 64)] * 2
    assert seen[1].text_embeds.shape == (1, 64)
