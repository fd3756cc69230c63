"""The LoRA of the two text encoders as tensors, and the encoders' output for tokens.

Shape suffixes: B batch, E text encoders (2), L tokens (77), D text width, P pooled text width.
"""

from typing import Any, NamedTuple

import torch
from diffusers import StableDiffusionXLPipeline
from torch import Tensor, nn

from trainer.lora.tensors import carriers

PREFIXES = ("text_encoder", "text_encoder_2")


class PromptEmbeds(NamedTuple):
    """Prompts as the UNet takes them: hidden states (B, L, D) and pooled text (B, P); without B for one prompt."""

    hidden: Tensor
    pooled: Tensor


def text_layers(pipe: StableDiffusionXLPipeline) -> dict[str, nn.Linear]:
    """The linear layers of both encoders' transformers, in our names without the adapter's ending."""
    return {
        f"{prefix}.{_nested(path)}": layer
        for prefix, encoder in zip(PREFIXES, encoders_of(pipe), strict=True)
        for path, layer in encoder.named_modules()
        if isinstance(layer, nn.Linear) and ".layers." in path
    }


def _nested(name: str) -> str:
    """The path that every tool knows: `CLIPTextModel` has lost its inner `text_model` in transformers 5."""
    return f"text_model.{name.removeprefix('text_model.')}"


def has_text_lora(pipe: StableDiffusionXLPipeline, name: str) -> bool:
    """Whether the adapter `name` acts on a text encoder."""
    return any(encoder in carriers(pipe, name) for encoder in encoders_of(pipe))


def tokens_of(pipe: StableDiffusionXLPipeline, text: str | None) -> Tensor:
    """Both encoders' tokens (E, L) of a text.

    None means the zeros that a pipeline may use instead of a text: the tokens of "", each as -1 - token.
    """
    how = {"padding": "max_length", "truncation": True, "return_tensors": "pt"}
    both = (pipe.tokenizer, pipe.tokenizer_2)
    tokens = torch.cat([own(text or "", max_length=own.model_max_length, **how).input_ids for own in both])
    return tokens if text is not None else -1 - tokens


def encode_tokens(pipe: StableDiffusionXLPipeline, tokens_BEL: Tensor) -> PromptEmbeds:
    """Hidden states (B, L, D) and pooled text (B, P), as `StableDiffusionXLPipeline.encode_prompt` takes them."""
    first, second = (
        encoder(tokens_BL, output_hidden_states=True)
        for encoder, tokens_BL in zip(encoders_of(pipe), tokens_BEL.unbind(1), strict=True)
    )
    return PromptEmbeds(torch.cat([first.hidden_states[-2], second.hidden_states[-2]], dim=-1), second[0])


def encoders_of(pipe: StableDiffusionXLPipeline) -> tuple[Any, Any]:
    """Both text encoders."""
    return pipe.text_encoder, pipe.text_encoder_2
