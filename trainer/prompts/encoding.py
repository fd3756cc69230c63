"""What the text encoders make of prompts: weights, BREAK and any length by compel, all else by the pipeline itself.

A prompt that is short and has nothing to weigh goes through the pipeline's own encoder, to the same bits.

Shape suffixes: B batch, L tokens (77, or a multiple), D text width, P pooled text width.
"""

import math
from collections.abc import Iterable, Sequence
from functools import partial
from importlib.metadata import version as version_of
from typing import Any, NamedTuple

import torch
from torch import Tensor

from trainer.lora.text_encoders import PromptEmbeds
from trainer.prompts.memory import TextMemory
from trainer.prompts.syntax import Part, parse_prompt, plain_text

MOST_REPEATED = 2
"""Texts in one batch become at most so many times as long as the longest of them."""


class Words(NamedTuple):
    """Prompts, and as many negative prompts; None for the pipeline's own way of having none."""

    prompts: Sequence[str]
    negative_prompts: Sequence[str] | None = None


class Embeddings(NamedTuple):
    """What the pipeline takes in place of prompts: (B, L, D) and (B, P), by its own names."""

    prompt_embeds: Tensor
    negative_prompt_embeds: Tensor
    pooled_prompt_embeds: Tensor
    negative_pooled_prompt_embeds: Tensor


def encode_words(pipe: Any, words: Words, *, is_weighted: bool, memory: TextMemory | None = None) -> Embeddings:
    """The embeddings of prompts and of what stands against them, all of one length L.

    `pipe` is a pipeline of SDXL or of its refiner. With a memory, each text is encoded once, and on its own.
    """
    encode = partial(encode_texts, pipe, is_weighted=is_weighted)
    read = partial(memory.read, encode=encode, on=pipe.unet.device) if memory else encode
    texts = read(words.prompts)
    if words.negative_prompts is None and pipe.config.force_zeros_for_empty_prompt:
        against = [PromptEmbeds(*map(torch.zeros_like, text)) for text in texts]
    else:
        against = read(words.negative_prompts or [""] * len(texts))
    hidden = of_one_length([text.hidden for text in (*texts, *against)])
    pooled, null_pooled = (torch.stack([text.pooled for text in some]) for some in (texts, against))
    return Embeddings(torch.stack(hidden[: len(texts)]), torch.stack(hidden[len(texts) :]), pooled, null_pooled)


def encode_texts(pipe: Any, texts: Sequence[str], *, is_weighted: bool) -> list[PromptEmbeds]:
    """Each text's embeddings (L, D) and (P,), on the UNet's device."""
    if not is_weighted:
        return _by_the_pipeline(pipe, texts)
    parts = {text: parse_prompt(text) for text in texts}
    plain = {text: _short_text(pipe, parts[text]) for text in parts}
    found = _by_the_pipeline(pipe, [plain[text] or "" for text in texts])
    weighted = {text: _by_compel(pipe, parts[text]) for text in parts if plain[text] is None}
    return [weighted.get(text, own) for text, own in zip(texts, found, strict=True)]


def reading_of(pipe: Any, text: str, *, is_weighted: bool) -> str:
    """How the text is read, as a word to tell its embeddings from others'; empty: by the pipeline, as it stands."""
    is_plain = not is_weighted or _short_text(pipe, parse_prompt(text)) == text
    return "" if is_plain else f"a1111 compel {version_of('compel')}"


def of_one_length(hidden: Sequence[Tensor]) -> list[Tensor]:
    """Texts (L, D), each repeated until all are equally long.

    For attention a text and its repetition are the same, because each token's share goes to its copies. So what stands
    beside a text in a batch does not change it.
    """
    longest = math.lcm(*(len(one) for one in hidden))
    return [one.repeat(longest // len(one), 1) for one in hidden]


def group_by_length(lengths: Sequence[int], beside: int = 1) -> list[list[int]]:
    """The places of texts in groups whose repetitions stay short: at most twice as long as the longest of a group.

    `beside` is the length of the negative prompt, which is in every group. Texts of 1, 2, 3, 5 and 7 parts would have
    210 in one batch.

    >>> group_by_length([1, 2, 3, 5, 7, 1]), group_by_length([1, 2, 4], 2)
    ([[0, 1, 4, 5], [3], [2]], [[0, 1, 2]])
    """
    groups: list[list[int]] = []
    repeated: list[int] = []
    for place in sorted(range(len(lengths)), key=lambda place: -lengths[place]):
        for number, group in enumerate(groups):
            together = math.lcm(repeated[number], lengths[place])
            if together <= max(repeated[number], MOST_REPEATED * lengths[group[0]]):
                group.append(place)
                repeated[number] = together
                break
        else:
            groups.append([place])
            repeated.append(math.lcm(beside, lengths[place]))
    return [sorted(group) for group in groups]


def _short_text(pipe: Any, parts: Sequence[Part]) -> str | None:
    """The text that the pipeline's own encoder reads to its end; None for one with weights, and for a long one."""
    text = plain_text(parts)
    both = [one for one in (pipe.tokenizer, pipe.tokenizer_2) if one is not None]
    if text is None or any(len(one(text, verbose=False).input_ids) > one.model_max_length for one in both):
        return None
    return text


def _by_the_pipeline(pipe: Any, texts: Iterable[str]) -> list[PromptEmbeds]:
    how = {"device": pipe.unet.device, "do_classifier_free_guidance": False}
    hidden_BLD, _, pooled_BP, _ = pipe.encode_prompt(list(texts), **how)
    return [PromptEmbeds(*one) for one in zip(hidden_BLD, pooled_BP, strict=True)]


def _by_compel(pipe: Any, parts: Sequence[Part]) -> PromptEmbeds:
    """One prompt, each part in texts of 77 tokens; pooled is the first part's beginning, unweighted."""
    # Here, because it takes seconds, and few prompts need it.
    from compel import EmbeddingsProvider, ReturnedEmbeddingsType, SplitLongTextMode

    how = {
        "truncate": False,
        "returned_embeddings_type": ReturnedEmbeddingsType.PENULTIMATE_HIDDEN_STATES_NON_NORMALIZED,
        "split_long_text_mode": SplitLongTextMode.PHRASES,
    }
    both = ((pipe.tokenizer, pipe.text_encoder), (pipe.tokenizer_2, pipe.text_encoder_2))
    readers = [EmbeddingsProvider(*one, **how) for one in both if one[1] is not None]
    texts = [[one.text for one in part] for part in parts]
    weights = [[one.weight for one in part] for part in parts]
    device = pipe.text_encoder_2.device
    hidden = [reader.get_embeddings_for_weighted_prompt_fragments(texts, weights, device=device) for reader in readers]
    longest = max(one.shape[1] for one in hidden)
    # SDXL's second tokenizer takes "!" for its padding, so the same words may fill another number of texts.
    hidden = [
        torch.cat([one, reader.empty_z.repeat(1, (longest - one.shape[1]) // reader.max_token_count, 1)], dim=1)
        for reader, one in zip(readers, hidden, strict=True)
    ]
    pooled = readers[-1].get_pooled_embeddings([" ".join(texts[0])], device=device)
    return PromptEmbeds(torch.cat(hidden, dim=-1)[0].to(pipe.unet.device), pooled[0].to(pipe.unet.device))
