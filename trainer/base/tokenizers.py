"""How much of a text SDXL's two text encoders read. Only their tokenizers are loaded: neither torch nor weights."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from transformers import CLIPTokenizer

from feedback.sample.cut_prompts import MOST_TOKENS, is_surely_read
from store.errors import ModelError
from store.settings import Settings

BUILTIN = Path(__file__).parents[1] / "builtin" / "model"
SDXL = "stabilityai/stable-diffusion-xl-base-1.0"
"""Where the tokenizers of a single file come from: every SDXL has the same ones."""
BYTES = 256  # a vocabulary holds each of them
FOLDERS = ("tokenizer", "tokenizer_2")


def load_tokenizers(settings: Settings) -> list[Any]:
    """Both tokenizers of the model that the settings name. Raises ModelError when they cannot be read."""
    source: str | Path = BUILTIN if settings.is_builtin else settings.model
    if Path(source).is_file():
        source = settings.model_config_source or SDXL
    try:
        both = [CLIPTokenizer.from_pretrained(source, subfolder=folder) for folder in FOLDERS]
        if min(map(len, both)) < BYTES:
            raise ValueError("they have no vocabulary")  # what the library makes of an empty folder
        return both
    except (OSError, ValueError, TypeError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise ModelError(
            f"the tokenizers of {str(source)!r} cannot be read ({reason}), so how much of a long prompt the model "
            "reads was not counted; `naysayer doctor` checks the model"
        ) from error


def tokenizers_of(pipe: Any) -> list[Any]:
    """Both tokenizers of a loaded pipeline."""
    return [pipe.tokenizer, pipe.tokenizer_2]


def counter_of(base: Any) -> Callable[[str], int] | None:
    """How many characters of a text a loaded base reads; None where prompts of any length are read to their end."""
    return None if base.settings.weighs_prompts else partial(characters_read, tokenizers_of(base.pipe))


def characters_read(tokenizers: Sequence[Any], text: str) -> int:
    """How many characters of a text every one of the tokenizers passes on."""
    if is_surely_read(text):
        return len(text)
    how = {"add_special_tokens": False, "truncation": True, "max_length": MOST_TOKENS, "return_offsets_mapping": True}
    read = min(own(text, **how).offset_mapping[-1][1] for own in tokenizers)
    return read if text[read:].strip() else len(text)
