"""The negative LoRA on the two text encoders: the rows that meet it read their text with it, the others the base's own.

The adapters' own switch stays off, so whoever else encodes a prompt gets the base's text; `adapted` puts them in force.

Shape suffixes: B batch, E text encoders (2), L tokens (77, or a multiple), D text width, P pooled text width.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import NamedTuple

import torch
from diffusers import StableDiffusionXLPipeline
from torch import Tensor

from trainer.base.model import Base
from trainer.lora.text_encoders import PromptEmbeds, encode_tokens, encoders_of, has_text_lora, tokens_of
from trainer.prompts.encoding import Embeddings, Words, encode_texts, encode_words, group_by_length
from trainer.prompts.memory import memory_of
from trainer.sample.adapter_rows import EVERY_ROW, Adapter, make_forwards, swap_forwards
from trainer.sample.guidance import Steering

PROBE = "a photo of a hand with six fingers"


class PromptInputs(NamedTuple):
    """What the pipeline is given, and the text of a third row where it is another than the prompt's own."""

    given: Embeddings
    third: PromptEmbeds | None = None


@contextmanager
def apply_text_lora(pipe: StableDiffusionXLPipeline, name: str, scale: float = 1.0) -> Iterator[None]:
    """While it lasts, the text encoders work with the adapter `name` at `scale`; gradients reach it."""
    with ExitStack() as held:
        for encoder in encoders_of(pipe):
            held.enter_context(
                swap_forwards(make_forwards(encoder, Adapter(name, scale), EVERY_ROW, {}, is_merged=False))
            )
        yield


def read_prompts(base: Base, steering: Steering, words: Words) -> PromptInputs:
    """What each row reads of the words under the rule.

    Rows that meet the LoRA read with the adapter's text encoders at the rule's scale, the others with the base's.
    """
    pipe, is_weighted = base.pipe, base.settings.weighs_prompts
    own = memory_of(pipe.text_encoder_2, is_weighted=is_weighted)
    plain = encode_words(pipe, words, is_weighted=is_weighted, memory=own)
    if not steering.forwards or not has_text_lora(pipe, steering.adapter_name):
        return PromptInputs(plain)
    with apply_text_lora(pipe, steering.adapter_name, steering.scale):
        theirs = encode_words(pipe, words, is_weighted=is_weighted, memory=steering.texts)
    if steering.has_third_row:
        return PromptInputs(plain, PromptEmbeds(theirs.prompt_embeds, theirs.pooled_prompt_embeds))
    if steering.rule == "negative-half":
        unmet = {"prompt_embeds": plain.prompt_embeds, "pooled_prompt_embeds": plain.pooled_prompt_embeds}
        return PromptInputs(theirs._replace(**unmet))
    return PromptInputs(theirs)


@torch.inference_mode()
def alike_in_length(base: Base, prompts: Sequence[str], negative_prompt: str) -> list[list[int]]:
    """The places of prompts in groups that are drawn together; nearly always one group of all."""
    pipe, is_weighted = base.pipe, base.settings.weighs_prompts
    read = partial(encode_texts, pipe, is_weighted=is_weighted)
    memory = memory_of(pipe.text_encoder_2, is_weighted=is_weighted)
    *texts, beside = memory.read([*prompts, negative_prompt], read, pipe.unet.device)
    return group_by_length([len(text.hidden) for text in texts], len(beside.hidden))


def probe_text(pipe: StableDiffusionXLPipeline, name: str = "") -> Tensor:
    """One text's hidden states and pooled text (N,) with the adapter `name`, float32 on the CPU.

    Computed in float32, because the rounding of a lower one would drown what the adapter changes; afterwards encoders
    and adapters are in the base's dtype.
    """
    encoders, dtype = encoders_of(pipe), pipe.text_encoder.dtype
    tokens = tokens_of(pipe, PROBE)[None].to(pipe.text_encoder.device)
    for encoder in encoders:
        encoder.float()
    with apply_text_lora(pipe, name):
        hidden, pooled = encode_tokens(pipe, tokens)
    for encoder in encoders:
        encoder.to(dtype)
    return torch.cat([hidden.flatten(), pooled.flatten()]).cpu()
