"""The base model: anything that `StableDiffusionXLPipeline` can load."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import find_device, send_to_device
from diffusers import StableDiffusionXLPipeline
from diffusers.utils import logging as diffusers_logging
from sqlalchemy import Engine
from torch import nn
from torch.utils.hooks import RemovableHandle
from transformers.utils import logging as transformers_logging

from feedback.sample.conditions import Conditions
from feedback.sample.work import Drawing
from feedback.succession import PLAIN
from feedback.versions import begin, note_plain, require_same_base
from store.errors import ModelError
from store.phrases import plural
from store.settings import Settings
from store.tables import Version
from trainer.base.declared import prediction_words
from trainer.base.identity import Sources, earlier_hashes, identity_hash, parts_of
from trainer.base.pipeline import load_pipeline, set_decoding
from trainer.base.refiner import Refiner, load_refiner
from trainer.base.schedule import choose_scheduler, scheduler_words
from trainer.base.weights import find_sources, first_line, revision_of

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
DISTILLED = re.compile(r"turbo|lightning|hyper-?sd|\blcm\b|dmd", re.IGNORECASE)
DISTILLED_SCHEDULERS = ("LCMScheduler", "TCDScheduler")


@dataclass(frozen=True)
class Base:
    """A loaded base model, and the settings it was loaded under.

    `parts` has a hash of each part that is in use, by name. `revision` is the commit of the hub it came from, or empty.
    `prediction_source` says who says what it predicts; empty: its configuration.
    """

    pipe: StableDiffusionXLPipeline
    settings: Settings
    sources: Sources
    plain: Drawing
    parts: dict[str, str]
    refiner: Refiner | None = None
    prediction_source: str = ""

    @property
    def name(self) -> str:
        return self.settings.model

    @property
    def revision(self) -> str:
        return revision_of(self.sources.base)

    @cached_property
    def sha256(self) -> str:
        """The identity: all the parts, and nothing else."""
        return identity_hash(self.parts)

    def earlier_hashes(self) -> set[str]:
        """The identities that earlier programs gave this base: they hashed whole files, also unused ones."""
        return earlier_hashes(self.sources, self.settings)

    @property
    def prediction(self) -> str:
        """What the UNet predicts, in words, with who says so."""
        source = f" (says {self.prediction_source})" if self.prediction_source else ""
        return prediction_words(self.pipe.scheduler.config) + source

    @cached_property
    def device(self) -> torch.device:
        return self.pipe.unet.device

    @property
    def device_words(self) -> str:
        """The device as people call it."""
        if self.device.type == "cuda":
            return torch.cuda.get_device_name(self.device)
        return f"CPU, {plural(torch.get_num_threads(), 'thread')}" if self.device.type == "cpu" else str(self.device)

    @cached_property
    def dtype(self) -> torch.dtype:
        return self.pipe.unet.dtype

    @property
    def facts(self) -> dict[str, Any]:
        """What a version's settings record about its base, besides its name and hash."""
        facts = {"model_revision": self.revision} if self.revision else {}
        return facts | ({"refiner": self.refiner.name, "refiner_start": self.refiner.start} if self.refiner else {})

    @property
    def sampling(self) -> dict[str, Any]:
        """What a version's settings record about how its strength was chosen: sampler, steps, guidance interval."""
        how = self.plain.conditions
        sampling = {"sampler": how.scheduler or "", "num_inference_steps": self.plain.num_inference_steps}
        return sampling | ({"guidance_interval": how.guidance_interval} if how.guidance_interval else {})


def load_base(settings: Settings, tell: Callable[[float], object] | None = None) -> Base:
    """The base model the settings name, on its device, in its dtype, ready to sample and to train.

    `tell` gets the share of each component that is loaded; without it a bar shows them, over two seconds.

    Raises ModelError when it cannot be loaded, is no SDXL, or has no negative half to steer with.
    """
    device = pick_device(settings.device)
    dtype = pick_dtype(settings.dtype, device)
    sources = find_sources(settings)
    pipe, source = load_pipeline(sources, settings, device, dtype, tell)
    pipe.set_progress_bar_config(disable=True)
    set_decoding(pipe.vae, settings.vae_decode)
    plain = _plain_drawing(pipe, sources.base, settings)
    _refuse_distilled(pipe, settings, plain)
    pipe.scheduler = choose_scheduler(pipe.scheduler, settings.scheduler)
    if settings.offload_encoders:
        for encoder in (pipe.text_encoder, pipe.text_encoder_2):
            visit(encoder, device)
        pipe.unet.to(device)
        pipe.vae.to(device)
    else:
        pipe.to(device)
    for module in (pipe.unet, pipe.vae, pipe.text_encoder, pipe.text_encoder_2):
        module.requires_grad_(False).eval()
    refiner = load_refiner(pipe, sources, settings, dtype) if settings.refiner else None
    parts = parts_of(pipe, sources) | (refiner.parts if refiner else {})
    plain = replace(plain, conditions=_conditions(pipe, settings, plain, parts))
    return Base(pipe, settings, sources, plain, parts, refiner, source)


def record_base(engine: Engine, base: Base) -> None:
    """Records the base as v0 of a new store, and how it draws. Raises OtherBase when the store has another one."""
    begin(engine, base.name, base.sha256, base.facts | {"base_parts": base.parts}, base.earlier_hashes)
    if not base.settings.is_builtin:
        settings = base.settings
        note_plain(engine, {"base_quantization": settings.base_quantization, "vae_decode": settings.vae_decode})


def compare_base(plain: Version | None, base: Base) -> None:
    """Raises OtherBase when the store's v0 has another base; writes nothing."""
    if plain is not None:
        settings = base.facts | {"base_parts": base.parts}
        own = Version(number=PLAIN, base_model=base.name, base_sha256=base.sha256, settings=settings)
        require_same_base(plain, own, base.earlier_hashes)


def pick_device(wanted: str) -> torch.device:
    """`auto` is CUDA where there is one, else MPS, else the CPU. Raises ModelError when torch cannot use it."""
    if wanted == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(wanted)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ModelError(
            f"NAYSAYER_DEVICE is {wanted}, which torch cannot use on this machine ({first_line(error)}); "
            "set it to auto or cpu"
        ) from error
    return device


def pick_dtype(wanted: str, device: torch.device) -> torch.dtype:
    """`auto` is bf16 on CUDA, else fp32."""
    if wanted != "auto":
        return DTYPES[wanted]
    return torch.bfloat16 if device.type == "cuda" else torch.float32


def _plain_drawing(pipe: StableDiffusionXLPipeline, path: Path, settings: Settings) -> Drawing:
    """How the plain base draws: the settings, else the model folder's `naysayer.json`, else SDXL's usual values."""
    own = _read_advice(path)
    width, height = picture_size(settings, path, pipe.default_sample_size * pipe.vae_scale_factor)
    return Drawing(
        rule="plain",
        strength=0.0,
        guidance_scale=settings.guidance_scale or own.get("guidance_scale", 6.0),
        num_inference_steps=settings.num_inference_steps or own.get("num_inference_steps", 30),
        width=width,
        height=height,
        negative_prompt=settings.negative_prompt,
    )


def _conditions(
    pipe: StableDiffusionXLPipeline, settings: Settings, plain: Drawing, parts: Mapping[str, str]
) -> Conditions:
    """All that decides a picture besides prompt, seed and version."""
    refiner = [parts[name] for name in sorted(parts) if name.startswith("refiner")]
    return Conditions(
        num_inference_steps=plain.num_inference_steps,
        width=plain.width,
        height=plain.height,
        guidance_scale=plain.guidance_scale,
        negative_prompt=plain.negative_prompt,
        prompt_weighting=settings.prompt_weighting,
        dtype=str(pipe.unet.dtype).removeprefix("torch."),
        base_quantization=settings.base_quantization,
        vae_decode=settings.vae_decode,
        scheduler=scheduler_words(pipe.scheduler.config, type(pipe.scheduler).__name__),
        guidance_interval=settings.guidance_interval,
        is_compiled=settings.compile or None,
        prediction=parts["prediction"],
        vae=parts["vae"],
        refiner=" ".join(refiner),
    )


def picture_size(settings: Settings, path: Path, side: int) -> tuple[int, int]:
    """Width and height of a picture in pixels: the settings, else the model folder's `naysayer.json`, else `side`."""
    own = _read_advice(path)
    return settings.width_px or own.get("width", side), settings.height_px or own.get("height", side)


def _read_advice(folder: Path) -> dict[str, Any]:
    """What the model folder's `naysayer.json` says; nothing where there is none."""
    path = folder / "naysayer.json"
    if not path.is_file():
        return {}
    try:
        own = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} is not JSON ({first_line(error)}); mend it, or remove it") from error
    if not isinstance(own, dict):
        raise ModelError(f"{path} is not a JSON object; mend it, or remove it")
    return own


def _refuse_distilled(pipe: StableDiffusionXLPipeline, settings: Settings, plain: Drawing) -> None:
    """Raises ModelError for a model that is sampled without classifier-free guidance; a guidance set by hand decides.

    The signs: a guidance scale of at most 1, or a UNet that takes the guidance as an input (LCM). Where the settings
    name no guidance scale, also the model's name, its scheduler, and trailing timesteps without rescaled betas: Turbo
    has those. Zero-terminal-SNR models have trailing timesteps too, but rescaled betas.
    """
    how = pipe.scheduler.config
    trails = how.get("timestep_spacing") == "trailing" and not how.get("rescale_betas_zero_snr")
    is_distilled = DISTILLED.search(settings.model) or type(pipe.scheduler).__name__ in DISTILLED_SCHEDULERS or trails
    if plain.guidance_scale <= 1 or pipe.unet.config.time_cond_proj_dim is not None:
        raise ModelError(
            f"{settings.model!r} samples without classifier-free guidance, so it has no negative half to steer with; "
            "use an undistilled SDXL, and a guidance scale above 1"
        )
    if is_distilled and settings.guidance_scale is None:
        raise ModelError(
            f"{settings.model!r} looks like a distilled model, which samples without classifier-free guidance and has "
            "no negative half to steer with; use an undistilled SDXL, or set NAYSAYER_GUIDANCE_SCALE above 1 if this "
            "one does use guidance"
        )


@contextmanager
def move_to(device: torch.device | str, *modules: nn.Module) -> Iterator[None]:
    """Inside it, the modules are on that device; afterwards each is back where it was."""
    device = torch.device(device)
    homes = {module: home for module in modules if (home := next(module.parameters()).device).type != device.type}
    try:
        for module in homes:
            module.to(device)
        yield
    finally:
        for module, home in homes.items():
            module.to(home)


def visit(module: nn.Module, device: torch.device) -> list[RemovableHandle]:
    """Makes the module, which is on the CPU, go to the device for each forward pass, and back.

    Its outputs are where its inputs were. Removing both handles ends it.
    """

    asked_from: list[torch.device] = []

    def go(_: nn.Module, args: Any, kwargs: Any) -> Any:
        asked_from.append(find_device([args, kwargs]))
        module.to(device)
        return send_to_device(args, device), send_to_device(kwargs, device)

    def come_back(_: nn.Module, _args: Any, output: Any) -> Any:
        module.to("cpu")
        return send_to_device(output, asked_from.pop())

    return [module.register_forward_pre_hook(go, with_kwargs=True), module.register_forward_hook(come_back)]


def silence_libraries() -> None:
    """Turns off the progress bars that the libraries show while loading."""
    diffusers_logging.disable_progress_bar()
    transformers_logging.disable_progress_bar()
