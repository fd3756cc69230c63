"""The base's identity: a hash of each part that is in use, and of no other file.

A part's weights are hashed tensor by tensor, so that headers, shards and file names do not matter.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from diffusers import StableDiffusionXLPipeline

from store.files import sha256_of, sha256_of_file
from store.settings import Settings
from trainer.base.hashing.remembered import weights_hashes
from trainer.base.hashing.tensors import Weights

NETWORKS = ("unet", "vae", "text_encoder", "text_encoder_2")
IN_ONE_FILE = {
    "unet": "model.diffusion_model.",
    "vae": "first_stage_model.",
    "text_encoder": "conditioner.embedders.0.",
    "text_encoder_2": "conditioner.embedders.1.",
}
"""How the tensors of each network begin in the original layout."""
WEIGHT_NAMES = ("diffusion_pytorch_model", "model")
VAE_SCALE = ("scaling_factor", "latents_mean", "latents_std")
SCHEDULE = ("prediction_type", "rescale_betas_zero_snr", "beta_start", "beta_end", "beta_schedule")


class Sources(NamedTuple):
    """Where the weights in use were read: the base's file or folder, and the folders or files that replace parts."""

    base: Path
    variant: str = ""
    vae: Path | None = None
    refiner: Path | None = None


def network_files(folder: Path, variant: str = "") -> list[Path]:
    """The safetensors files that the libraries read from a network's folder: whole or in shards, of the variant or not.

    Without them, the whole folder's, so that something is hashed.
    """
    for middle in ([f".{variant}"] if variant else []) + [""]:
        for name in WEIGHT_NAMES:
            index = folder / f"{name}.safetensors.index{middle}.json"
            if index.is_file():
                return sorted({folder / shard for shard in json.loads(index.read_text())["weight_map"].values()})
            if (whole := folder / f"{name}{middle}.safetensors").is_file():
                return [whole]
    return sorted(folder.glob("*.safetensors"))


def files_in_use(sources: Sources, network: str) -> list[Path]:
    """The files of a network of the base."""
    if network == "vae" and sources.vae is not None:
        return [sources.vae] if sources.vae.is_file() else network_files(sources.vae)
    return [sources.base] if sources.base.is_file() else network_files(sources.base / network, sources.variant)


def weights_of(sources: Sources, network: str) -> Weights:
    """The weights of one of NETWORKS."""
    is_own = not (network == "vae" and sources.vae is not None)
    prefix = IN_ONE_FILE[network] if sources.base.is_file() and is_own else ""
    return Weights(tuple(files_in_use(sources, network)), prefix)


def network_hash(sources: Sources, network: str) -> str:
    """SHA-256 of the weights of one of NETWORKS."""
    return weights_hashes({network: weights_of(sources, network)})[network]


def parts_of(pipe: StableDiffusionXLPipeline, sources: Sources) -> dict[str, str]:
    """The hash of every part of the base in use, by its name."""
    parts = weights_hashes({network: weights_of(sources, network) for network in NETWORKS})
    parts["vae"] = _hash([parts["vae"], {name: pipe.vae.config.get(name) for name in VAE_SCALE}])
    for name in ("tokenizer", "tokenizer_2"):
        parts[name] = tokenizer_hash(getattr(pipe, name))
    parts["prediction"] = prediction_hash(pipe.scheduler.config)
    return parts


def tokenizer_hash(tokenizer: Any) -> str:
    """SHA-256 of what decides a text's tokens: vocabulary, merges, special tokens, length."""
    model = json.loads(tokenizer.backend_tokenizer.to_str())["model"]
    merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in model.get("merges", ())]
    special = [tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id, tokenizer.model_max_length]
    return _hash([tokenizer.get_vocab(), merges, special])


def prediction_hash(config: Mapping[str, Any]) -> str:
    """SHA-256 of what the UNet predicts and of its noise schedule; not of how the sampler steps through it."""
    usual = {"prediction_type": "epsilon", "rescale_betas_zero_snr": False}
    return _hash({name: config.get(name, usual.get(name)) for name in SCHEDULE})


def _hash(value: Any) -> str:
    return sha256_of(json.dumps(value, sort_keys=True).encode())


def identity_hash(parts: Mapping[str, str]) -> str:
    """SHA-256 of all the parts: the base's identity."""
    return _hash(dict(parts))


def earlier_hashes(sources: Sources, settings: Settings) -> set[str]:
    """The identities that programs before this one may have given the same base.

    They hashed every safetensors file below a folder, by its bytes, and the VAE and the variant by name. More files may
    have come into the folder since, and a folder may be written with a slash at its end or without.
    """
    digests: dict[Path, str] = {}
    vaes = {settings.vae, settings.vae.rstrip("/"), settings.vae.rstrip("/") + "/"} if settings.vae else {""}
    found = set()
    for vae in vaes:
        names = (vae, settings.model_variant)
        bases = {_whole_files(files, names, digests) for files in _candidates(sources.base, settings)}
        if sources.refiner is None:
            found |= bases
            continue
        refiners = {_whole_files(files, names, digests) for files in _candidates(sources.refiner, settings)}
        start = f"{settings.refiner_start:g}"
        found |= {sha256_of(f"{base}\n{refiner}\n{start}".encode()) for base in bases for refiner in refiners}
    return found


def _candidates(path: Path, settings: Settings) -> list[list[Path]]:
    """The files that an earlier program may have hashed: all, or only those in use."""
    if path.is_file():
        return [[path]]
    folders = [path / network for network in NETWORKS if (path / network).is_dir()]
    used = [file for folder in folders for file in network_files(folder, settings.model_variant)]
    return [files for files in (sorted(path.glob("**/*.safetensors")), sorted(used)) if files]


def _whole_files(files: list[Path], names: tuple[str, str], digests: dict[Path, str]) -> str:
    for file in files:
        digests[file] = digests.get(file) or sha256_of_file(file)
    if len(files) == 1:
        return digests[files[0]]
    return sha256_of("\n".join([*(digests[file] for file in files), *names]).encode())
