"""Latents and text embeddings, cached by content: one file per item, made once, read at every retrain.

Shape suffixes: C latent channels, H W latent height and width, L tokens (77, or a multiple), D text width,
P pooled text width.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import cached_property, lru_cache
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors.torch import load, save
from torch import Tensor, nn
from tqdm import tqdm, trange

from feedback.pool.pool import PoolItem
from store.errors import DamagedStore
from store.files import Blobs, make_folder, sha256_of, write_file
from trainer.base.model import Base, move_to
from trainer.base.vae import encode_picture
from trainer.fit.lost import has_latent
from trainer.lora.text_encoders import PromptEmbeds
from trainer.prompts.encoding import Words, encode_texts, encode_words, reading_of

IN_MEMORY = 512
"""Latents, and texts, held in memory: for SDXL at 1024 px 130 MB and 160 MB, however large the pool is.

A prompt of more than 77 tokens takes as many times the memory of a short one.
"""
TEXTS_AT_ONCE = 16


class Latent(NamedTuple):
    """A picture as the UNet takes it: the sampler's own latent (no `std_CHW`), or the VAE's posterior of its pixels."""

    mean_CHW: Tensor
    std_CHW: Tensor | None = None

    def sample(self, noise_CHW: Tensor) -> Tensor:
        """A float32 draw (C, H, W) from the posterior; a sampler's own latent is the same under any noise."""
        if self.std_CHW is None:
            return self.mean_CHW.float()
        return self.mean_CHW.float() + self.std_CHW.float() * noise_CHW


class Cache:
    """Reads an item's tensors; makes and stores those that are missing or damaged."""

    def __init__(self, base: Base, blobs: Blobs, folder: Path) -> None:
        self.base, self.blobs, self.folder = base, blobs, folder
        self.text = lru_cache(maxsize=IN_MEMORY)(self._text)
        self.latent = lru_cache(maxsize=IN_MEMORY)(self._latent)

    def missing(self, items: Iterable[PoolItem], prompts: Iterable[str]) -> tuple[list[str], list[str]]:
        """The prompts, and the hashes of the pictures, that are not in the cache yet."""
        new_prompts = [prompt for prompt in dict.fromkeys(prompts) if not self._text_path(prompt).exists()]
        encoded = {item.sha256 for item in items if not has_latent(self.blobs, item)}
        return new_prompts, [sha256 for sha256 in sorted(encoded) if not self._picture_path(sha256).exists()]

    def prepare(
        self, items: Iterable[PoolItem], prompts: Iterable[str], tell: Callable[[float], None] = lambda done: None
    ) -> int:
        """Encodes what is not in the cache yet, and tells of each. How many texts and pictures that was."""
        new_prompts, new_pictures = self.missing(items, prompts)
        for start in trange(0, len(new_prompts), TEXTS_AT_ONCE, desc="encoding prompts", disable=not new_prompts):
            some = new_prompts[start : start + TEXTS_AT_ONCE]
            for prompt, text in zip(some, encode_prompts(self.base, some), strict=True):
                save_tensors(self._text_path(prompt), _named(text))
                tell(1)
        with move_to("cpu", self.base.pipe.text_encoder, self.base.pipe.text_encoder_2):
            for sha256 in tqdm(new_pictures, desc="encoding pictures", disable=not new_pictures):
                save_tensors(self._picture_path(sha256), self._encoded(sha256))
                tell(1)
        return len(new_prompts) + len(new_pictures)

    def _text(self, prompt: str) -> PromptEmbeds:
        """Embeddings of a prompt (L, D) and (P,)."""
        made = load_or_make(self._text_path(prompt), lambda: _named(encode_prompts(self.base, [prompt])[0]))
        return PromptEmbeds(made["hidden_LD"], made["pooled_P"])

    def _latent(self, item: PoolItem) -> Latent:
        """The sampler's own latent where there is one, else (or when it is lost) the VAE's posterior of the pixels."""
        if item.latent_sha256:
            with suppress(DamagedStore):
                return Latent(load(self.blobs.get(item.latent_sha256))["latent"])
        made = load_or_make(self._picture_path(item.sha256), lambda: self._encoded(item.sha256))
        return Latent(made["mean"], made["std"])

    def _encoded(self, sha256: str) -> dict[str, Tensor]:
        mean, std = encode_picture(self.base, self.blobs.get(sha256))
        return {"mean": mean, "std": std}

    def _text_path(self, prompt: str) -> Path:
        reading = reading_of(self.base.pipe, prompt, is_weighted=self.base.settings.weighs_prompts)
        return self._path(f"text{reading and f' {reading}'}:{self._encoders_sha256}:{prompt}")

    def _picture_path(self, sha256: str) -> Path:
        return self._path(f"picture:{self._vae_sha256}:{sha256}")

    def _path(self, content: str) -> Path:
        name = sha256_of(f"{self.base.dtype}:{content}".encode())
        return self.folder / name[:2] / name

    @cached_property
    def _encoders_sha256(self) -> str:
        pipe = self.base.pipe
        tokens = json.dumps([pipe.tokenizer.get_vocab(), pipe.tokenizer_2.get_vocab()], sort_keys=True)
        return sha256_of(f"{weights_sha256(pipe.text_encoder, pipe.text_encoder_2)}{tokens}".encode())

    @cached_property
    def _vae_sha256(self) -> str:
        scale = {name: value for name, value in self.base.pipe.vae.config.items() if not name.startswith("_")}
        return sha256_of(f"{weights_sha256(self.base.pipe.vae)}{json.dumps(scale, sort_keys=True)}".encode())


def _named(text: PromptEmbeds) -> dict[str, Tensor]:
    return {"hidden_LD": text.hidden, "pooled_P": text.pooled}


def save_tensors(path: Path, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Writes the tensors, after the hash of their bytes. The tensors on the CPU."""
    found = {name: tensor.to("cpu").contiguous() for name, tensor in tensors.items()}
    data = save(found)
    make_folder(path.parent)
    write_file(path, hashlib.sha256(data).digest() + data)
    return found


def load_or_make(path: Path, make: Callable[[], Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """The tensors at `path`; makes and writes them when they are missing or damaged."""
    return load_tensors(path) or save_tensors(path, make())


def load_tensors(path: Path) -> dict[str, Tensor] | None:
    """The tensors that `save_tensors` wrote; None when they are missing or damaged."""
    if path.exists():
        data = path.read_bytes()
        if hashlib.sha256(data[32:]).digest() == data[:32]:
            return load(data[32:])
    return None


def weights_sha256(*modules: nn.Module) -> str:
    """Hex SHA-256 over the names, types and bytes of all the modules' tensors, without those of adapters."""
    digest = hashlib.sha256()
    for module in modules:
        for name, tensor in sorted(module.state_dict().items()):
            if ".lora_" in name:
                continue
            digest.update(f"{name.replace('.base_layer', '')}:{tensor.dtype}:{tuple(tensor.shape)}:".encode())
            digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()


@torch.inference_mode()
def encode_prompts(base: Base, prompts: Iterable[str]) -> list[PromptEmbeds]:
    """Each prompt's embeddings, as the sampler reads it."""
    pipe = base.pipe
    encoders = () if base.settings.offload_encoders else (pipe.text_encoder, pipe.text_encoder_2)
    with move_to(base.device, *encoders):
        return encode_texts(pipe, list(prompts), is_weighted=base.settings.weighs_prompts)


@torch.inference_mode()
def null_prompt(base: Base) -> PromptEmbeds:
    """The null half's embeddings as the sampler uses them: the negative prompt, else zeros, else the empty text."""
    own = [base.plain.negative_prompt] if base.plain.negative_prompt else None
    found = encode_words(base.pipe, Words([""], own), is_weighted=base.settings.weighs_prompts)
    return PromptEmbeds(found.negative_prompt_embeds[0].to("cpu"), found.negative_pooled_prompt_embeds[0].to("cpu"))
