"""Latents and text embeddings, kept by content: one file an item, written once, read at every retrain.

Shape suffixes: C latent channels, H W latent height and width, L tokens (77), D text width, P pooled text width.
"""

import io
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import torch
from PIL import Image
from safetensors.torch import load, save
from torch import Tensor

from feedback.manifest import Item
from store.files import Blobs, sha256_of, write_file
from trainer.model import Base
from trainer.sampler import to_model_scale


class Text(NamedTuple):
    """A prompt as the UNet takes it."""

    hidden_LD: Tensor
    pooled_P: Tensor


class Cache:
    """Reads an item's tensors, making and keeping those that are not there yet."""

    def __init__(self, base: Base, blobs: Blobs, folder: Path) -> None:
        self.base, self.blobs, self.folder = base, blobs, folder
        self.text = lru_cache(maxsize=4096)(self._text)
        self.latent = lru_cache(maxsize=4096)(self._latent)

    def _text(self, prompt: str) -> Text:
        """Embeddings of a prompt (L, D) and (P,), keyed by its text, the base and the dtype."""
        stored = self._kept(f"text:{prompt}", lambda: encode_prompt(self.base, prompt)._asdict())
        return Text(**stored)

    def _latent(self, item: Item) -> Tensor:
        """The latent (C, H, W): the sampler's own where the picture brought one, else encoded from its pixels."""
        if item.latent_sha256:
            return load(self.blobs.get(item.latent_sha256))["latent"]
        made = self._kept(f"latent:{item.sha256}", lambda: {"latent": encode(self.base, self.blobs.get(item.sha256))})
        return made["latent"]

    def _kept(self, what: str, make: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
        path = self.folder / f"{sha256_of(f'{what}:{self.base.sha256}:{self.base.dtype}'.encode())}.safetensors"
        if path.exists():
            return load(path.read_bytes())
        tensors = {name: tensor.to("cpu").contiguous() for name, tensor in make().items()}
        path.parent.mkdir(parents=True, exist_ok=True)
        write_file(path, save(tensors))
        return tensors


@torch.inference_mode()
def encode_prompt(base: Base, prompt: str) -> Text:
    """A prompt's embeddings, by the pipeline's own encoder."""
    hidden, _, pooled, _ = base.pipe.encode_prompt(prompt, do_classifier_free_guidance=False)
    return Text(hidden[0], pooled[0])


@torch.inference_mode()
def null_prompt(base: Base) -> Text:
    """The null half's embeddings as the sampler uses them: the negative prompt, else zeros, else the empty text."""
    _, hidden, _, pooled = base.pipe.encode_prompt("", negative_prompt=base.plain.negative_prompt or None)
    return Text(hidden[0].to("cpu"), pooled[0].to("cpu"))


@torch.inference_mode()
def encode(base: Base, png: bytes) -> Tensor:
    """The mean latent (C, H, W) of a picture, in the scale the UNet works in."""
    with Image.open(io.BytesIO(png), formats=("PNG", "JPEG", "WEBP")) as picture:
        pixels = base.pipe.image_processor.preprocess(picture.convert("RGB"))
    vae = base.pipe.vae
    mean = vae.encode(pixels.to(vae.device, vae.dtype)).latent_dist.mean
    return to_model_scale(vae, mean)[0].half()
