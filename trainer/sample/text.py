"""The negative LoRA on the two text encoders: the rows that meet it read their text with it, the others the base's own.

The adapters' own switch stays off, so whoever else encodes a prompt gets the base's text; `adapted` puts them in force.

Shape suffixes: B batch, E text encoders (2), L tokens (77), D text width, P pooled text width.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

import torch
from diffusers import StableDiffusionXLPipeline
from peft import LoraConfig
from torch import Tensor, nn

from trainer.lora.tensors import TRAINED, carriers, trained_tensors
from trainer.sample.guidance import Steering, Text
from trainer.sample.rows import EVERY_ROW, forwards, in_force

PREFIXES = ("text_encoder", "text_encoder_2")
PROJECTIONS = ["q_proj", "k_proj", "v_proj", "out_proj"]
EMBEDDINGS = ("prompt_embeds", "negative_prompt_embeds", "pooled_prompt_embeds", "negative_pooled_prompt_embeds")
"""What the pipeline's encoder gives, in its order and by the names under which the pipeline takes it."""
PROBE = "a photo of a hand with six fingers"


class Reading(NamedTuple):
    """What the pipeline is given to read, and the text of a third row where it is another than the prompt's own."""

    given: dict[str, Any]
    third: Text | None = None


def add_fresh_text(pipe: StableDiffusionXLPipeline, rank: int, seed: int) -> list[nn.Parameter]:
    """The trainable float32 parameters of a new adapter `negative` on both encoders, at zero effect; alpha is rank."""
    config = LoraConfig(r=rank, lora_alpha=rank, target_modules=PROJECTIONS, init_lora_weights="gaussian")
    parameters = []
    for encoder in _encoders(pipe):
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            encoder.add_adapter(config, adapter_name=TRAINED)
        own = [parameter for parameter in encoder.parameters() if parameter.requires_grad]
        encoder.disable_adapters()
        for parameter in own:
            parameter.data = parameter.data.float()
            parameter.requires_grad_()  # which the switch took away
        parameters += own
    return parameters


def trained_text(pipe: StableDiffusionXLPipeline) -> dict[str, Tensor]:
    """The trained adapter of both encoders where it is, by the names of a diffusers file; empty where there is none."""
    found: dict[str, Tensor] = {}
    for prefix, encoder in zip(PREFIXES, _encoders(pipe), strict=True):
        if encoder in carriers(pipe, TRAINED):
            found |= {f"{prefix}.{_nested(name)}": tensor for name, tensor in trained_tensors(encoder).items()}
    return found


def text_layers(pipe: StableDiffusionXLPipeline) -> dict[str, nn.Linear]:
    """The linear layers of both encoders' transformers, in our names without the adapter's ending."""
    return {
        f"{prefix}.{_nested(path)}": layer
        for prefix, encoder in zip(PREFIXES, _encoders(pipe), strict=True)
        for path, layer in encoder.named_modules()
        if isinstance(layer, nn.Linear) and ".layers." in path
    }


def _nested(name: str) -> str:
    """The path that every tool knows: `CLIPTextModel` has lost its inner `text_model` in transformers 5."""
    return f"text_model.{name.removeprefix('text_model.')}"


def reads_anew(pipe: StableDiffusionXLPipeline, name: str) -> bool:
    """Whether the adapter `name` acts on a text encoder."""
    return any(encoder in carriers(pipe, name) for encoder in _encoders(pipe))


@contextmanager
def adapted(pipe: StableDiffusionXLPipeline, name: str, scale: float = 1.0) -> Iterator[None]:
    """While it lasts, the text encoders work with the adapter `name` at `scale`; gradients reach it."""
    with ExitStack() as held:
        for encoder in _encoders(pipe):
            held.enter_context(in_force(forwards(encoder, name, EVERY_ROW, scale, {}, is_merged=False)))
        yield


def reading(pipe: StableDiffusionXLPipeline, steering: Steering, words: dict[str, Any]) -> Reading:
    """What each row reads of the `prompt` and `negative_prompt` in `words` under the rule.

    Rows that meet the LoRA read with the adapter's text encoders at the rule's scale, the others with the base's.
    """
    if not steering.forwards or not reads_anew(pipe, steering.adapter_name):
        return Reading(words)
    plain = _embeddings(pipe, words)
    with adapted(pipe, steering.adapter_name, steering.scale):
        theirs = _embeddings(pipe, words)
    if steering.has_third_row:
        return Reading(plain, (theirs["prompt_embeds"], theirs["pooled_prompt_embeds"]))
    if steering.rule == "negative-half":
        return Reading(theirs | {name: plain[name] for name in plain if not name.startswith("negative")})
    return Reading(theirs)


def _embeddings(pipe: StableDiffusionXLPipeline, words: dict[str, Any]) -> dict[str, Tensor]:
    return dict(zip(EMBEDDINGS, pipe.encode_prompt(**words), strict=True))


def tokens_of(pipe: StableDiffusionXLPipeline, text: str | None) -> Tensor:
    """Both encoders' tokens (E, L) of a text; of None, for which a pipeline reads zeros, those of "" below zero."""
    how = {"padding": "max_length", "truncation": True, "return_tensors": "pt"}
    both = (pipe.tokenizer, pipe.tokenizer_2)
    tokens = torch.cat([own(text or "", max_length=own.model_max_length, **how).input_ids for own in both])
    return tokens if text is not None else -1 - tokens


def encode_tokens(pipe: StableDiffusionXLPipeline, tokens_BEL: Tensor) -> Text:
    """Hidden states (B, L, D) and pooled text (B, P), as `StableDiffusionXLPipeline.encode_prompt` takes them."""
    first, second = (
        encoder(tokens_BL, output_hidden_states=True)
        for encoder, tokens_BL in zip(_encoders(pipe), tokens_BEL.unbind(1), strict=True)
    )
    return torch.cat([first.hidden_states[-2], second.hidden_states[-2]], dim=-1), second[0]


def read_anew(pipe: StableDiffusionXLPipeline, tokens_BEL: Tensor, plain: Text) -> Text:
    """The texts as the trained adapter's encoders read them; those that are zeros and no text stay as they are."""
    is_text_B = tokens_BEL[:, 0, 0] >= 0
    every_BEL = torch.where(tokens_BEL >= 0, tokens_BEL, -1 - tokens_BEL)
    with adapted(pipe, TRAINED):
        # Zeros are read too, so that in every process a gradient, if of zeros, comes to the same parameters.
        hidden_BLD, pooled_BP = encode_tokens(pipe, every_BEL)
    return (
        torch.where(is_text_B[:, None, None], hidden_BLD.to(plain[0]), plain[0]),
        torch.where(is_text_B[:, None], pooled_BP.to(plain[1]), plain[1]),
    )


@torch.no_grad()
def probe_text(pipe: StableDiffusionXLPipeline, name: str = "") -> Tensor:
    """One text's hidden states and pooled text (N,) with the adapter `name`, float32 on the CPU.

    Computed in float32, because the rounding of a lower one would drown what the adapter changes; afterwards encoders
    and adapters are in the base's dtype.
    """
    encoders, dtype = _encoders(pipe), pipe.text_encoder.dtype
    tokens = tokens_of(pipe, PROBE)[None].to(pipe.text_encoder.device)
    for encoder in encoders:
        encoder.float()
    with adapted(pipe, name):
        hidden, pooled = encode_tokens(pipe, tokens)
    for encoder in encoders:
        encoder.to(dtype)
    return torch.cat([hidden.flatten(), pooled.flatten()]).cpu()


def _encoders(pipe: StableDiffusionXLPipeline) -> tuple[Any, Any]:
    return pipe.text_encoder, pipe.text_encoder_2
