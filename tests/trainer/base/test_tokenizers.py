import pytest

from store.errors import ModelError
from store.settings import Settings
from trainer.base.tokenizers import characters_read, load_tokenizers

PHRASE = "a red star above a blue hand, "


@pytest.fixture(scope="module")
def tokenizers():
    return load_tokenizers(Settings(_env_file=None))


def test_text_is_read_up_to_its_75th_token(tokenizers):
    text = PHRASE * 14
    read = characters_read(tokenizers, text)
    assert 0 < read < len(text)
    missed, word = text.index(" ", read), text[text.rindex(" ", 0, read) : text.index(" ", read)]
    for own in tokenizers:
        whole = own(text, truncation=True, max_length=77).input_ids
        assert own(text[:missed] + " and what nobody reads", truncation=True, max_length=77).input_ids == whole
        assert own(text[: missed - len(word)] + " x", truncation=True, max_length=77).input_ids != whole


@pytest.mark.parametrize("count", [74, 75, 76])
def test_the_limit_is_exact(tokenizers, count):
    text = "a " * count
    assert characters_read(tokenizers, text) == min(len(text), 149 if count > 75 else len(text))


@pytest.mark.parametrize("text", ["", "a cup", "🫩" * 18, PHRASE.strip() * 2 + "  " * 40])
def test_what_fits_is_read_whole(tokenizers, text):
    assert characters_read(tokenizers, text) == len(text)


def test_a_letter_of_many_bytes_is_not_counted_in_halves(tokenizers):
    assert characters_read(tokenizers, "星" * 80) <= 26


def test_a_model_without_tokenizers_is_refused_in_one_sentence(tmp_path):
    with pytest.raises(ModelError, match="the tokenizers of") as caught:
        load_tokenizers(Settings(model=str(tmp_path), _env_file=None))
    assert "\n" not in str(caught.value)
