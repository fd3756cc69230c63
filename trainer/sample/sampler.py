"""Draw pictures with a version: prompts and seeds in, pictures and final latents out."""

import io
import logging
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, TypeVar

import torch
from accelerate.utils.memory import should_reduce_batch_size
from PIL import Image
from safetensors.torch import save
from torch import Tensor

from feedback.recipe import Recipe
from feedback.sample.tries import Tries
from feedback.sample.work import Drawing, Job
from store.errors import DamagedVersion, ModelError
from store.files import sha256_of_file
from store.layout import Layout
from store.tables import Version
from trainer.base.memory import halve_until_fits
from trainer.base.model import Base
from trainer.base.vae import decode_latents
from trainer.base.weights import first_line
from trainer.lora.formats import DIFFUSERS_FILE
from trainer.lora.tensors import attach_file, detach
from trainer.prompts.encoding import Words, encode_words
from trainer.sample.guidance import Steering
from trainer.sample.preview import DrawStep, predict_clean_latents
from trainer.sample.speed.compiled import CompileError, compiled_blocks, without_compiling
from trainer.sample.speed.interval import interval_of
from trainer.sample.text import alike_in_length, read_prompts

log = logging.getLogger("naysayer.sampler")

OnStep = Callable[[DrawStep], None]
Item = TypeVar("Item")
Result = TypeVar("Result")
LESS_MEMORY = "NAYSAYER_VAE_DECODE=tiled and smaller pictures (NAYSAYER_WIDTH_PX, NAYSAYER_HEIGHT_PX) need less"
ONCE = Tries()


@dataclass(frozen=True)
class Drawn:
    """One picture, its final latent as a safetensors file (float16, key `latent`), and its tries."""

    picture: Image.Image
    latent: bytes
    tries: Tries = ONCE

    @cached_property
    def png(self) -> bytes:
        """The picture as PNG without metadata, made when it is asked for: at 1024 px that takes half a second."""
        return png_of(self.picture)


class Sampler:
    """Keeps the LoRA of one version beside the base, so that drawing with it again costs no loading.

    `most` is how many pictures fit into memory at once, once that was found out.
    """

    def __init__(self, base: Base, layout: Layout) -> None:
        self.base, self.layout, self.attached = base, layout, 0
        self.most: int | None = None
        self._steering: tuple[object, Steering] | None = None

    def drawing_of(self, version: Version) -> Drawing:
        """How pictures of that version are drawn."""
        return steer_drawing(self.base.plain, Recipe.of(version))

    def draw(self, version: Version, jobs: Sequence[Job], on_step: OnStep | None = None) -> list[Drawn]:
        """One picture for every job, as many at once as fit.

        A seed gives the same noise whatever the batch. Raises ModelError when a single picture does not fit.
        """
        return self.decode(self.draw_latents(version, jobs, on_step))

    def draw_latents(self, version: Version, jobs: Sequence[Job], on_step: OnStep | None = None) -> list[Tensor]:
        """The final latents (C, H, W) of every job, in the scale the UNet works in."""
        drawing, steering = self.drawing_of(version), self.prepare(version)
        found: dict[int, Tensor] = {}
        for places in alike_in_length(self.base, [job.prompt for job in jobs], drawing.negative_prompt):
            some = [jobs[place] for place in places]
            drawn = self._in_parts(lambda part: self._sample(part, drawing, steering, on_step), some)
            found |= zip(places, drawn, strict=True)
        return [found[place] for place in range(len(jobs))]

    def prepare(self, version: Version) -> Steering:
        """The version's rule, with its LoRA beside the base; another drawing with it uses the same."""
        self._attach(version)
        return self._steer(version, self.drawing_of(version))

    def decode(self, latents: Sequence[Tensor]) -> list[Drawn]:
        """The pictures of final latents (C, H, W)."""
        pictures = self._in_parts(lambda part: decode_latents(self.base, torch.stack(list(part))), latents)
        return [Drawn(picture, latent_file(latent)) for picture, latent in zip(pictures, latents, strict=True)]

    def strip(self) -> None:
        """Leaves only the base in memory; the next drawing prepares again what it needs."""
        self._steering = None
        if self.attached:
            detach(self.base.pipe, f"v{self.attached}")
            self.attached = 0

    def _in_parts(self, work: Callable[[Sequence[Item]], Iterable[Result]], items: Sequence[Item]) -> list[Result]:
        """What `work` gives for the items, as many at once as fit into memory."""
        wanted = min(len(items), self.most or len(items))

        def in_parts(rows: int) -> list[Result]:
            return [found for start in range(0, len(items), rows) for found in work(items[start : start + rows])]

        try:
            found, fitting = halve_until_fits(in_parts, wanted)
        except RuntimeError as error:
            if not should_reduce_batch_size(error):
                raise
            raise ModelError(
                f"a single picture does not fit into memory ({first_line(error)}); {LESS_MEMORY}"
            ) from error
        if fitting < wanted:
            self.most = fitting
            log.warning("%d pictures at once do not fit into memory; from now on %d are drawn at once", wanted, fitting)
        return found

    def _sample(self, jobs: Sequence[Job], drawing: Drawing, steering: Steering, on_step: OnStep | None) -> Tensor:
        """The latents (B, 4, H, W) of one batch, by compiled blocks where they are wanted and the batch is a whole one.

        Smaller ones are left uncompiled: each size would be compiled for itself.
        """
        is_whole = len(jobs) == (self.most or self.base.settings.sample_batch)
        if self.base.plain.conditions.is_compiled and is_whole:
            try:
                with compiled_blocks(self.base.pipe.unet):
                    return sample_latents(self.base, jobs, drawing, steering, on_step)
            except CompileError as error:
                self.base = without_compiling(self.base, error)
        return sample_latents(self.base, jobs, drawing, steering, on_step)

    def _steer(self, version: Version, drawing: Drawing) -> Steering:
        """The version's rule, prepared once for as long as neither version nor strength changes."""
        is_compiled = bool(drawing.conditions.is_compiled)
        key = (version.number, drawing.rule, drawing.strength, is_compiled)
        if self._steering is None or self._steering[0] != key:
            self._steering = None  # its weights go before others come
            unet, name = self.base.pipe.unet, f"v{version.number}"
            own = Steering(unet, name, drawing.rule, drawing.strength, keeps_text=not is_compiled)
            self._steering = (key, own)
        return self._steering[1]

    def _attach(self, version: Version) -> None:
        if version.number in (0, self.attached):
            return
        self.strip()
        attach_file(self.base.pipe, require_sound(self.layout, version), f"v{version.number}")
        self.attached = version.number


def require_sound(layout: Layout, version: Version) -> Path:
    """The version's file in diffusers' layout. Raises DamagedVersion unless it is the one that was published."""
    assert version.sha256 is not None
    path = layout.fetch_version(version.sha256) / DIFFUSERS_FILE
    if not path.is_file():
        raise DamagedVersion(version.number, path, "is missing")
    try:
        found = sha256_of_file(path)
    except OSError as error:
        raise DamagedVersion(version.number, path, f"cannot be read ({error.strerror})") from error
    if found != version.sha256:
        raise DamagedVersion(version.number, path, "is not the file that was published")
    return path


def steer_drawing(plain: Drawing, recipe: Recipe) -> Drawing:
    """The base's own drawing, steered as a version's recipe says.

    Under `same-prompt` the guidance scale grows with the strength: only pushing away from the rejects would leave the
    prompt behind. Under `woolf` the trigger word is the negative prompt. An imported version may have its
    own `negative_prompt` for any rule.
    """
    own, rule, strength = recipe.negative_prompt, recipe.rule, recipe.strength
    negative_prompt = plain.negative_prompt if own is None else own
    drawing = replace(plain, rule=rule, strength=strength, negative_prompt=negative_prompt)
    if rule == "same-prompt":
        return replace(drawing, guidance_scale=plain.guidance_scale + recipe.guidance_gain * strength)
    return replace(drawing, negative_prompt=recipe.trigger) if rule == "woolf" else drawing


def sample_latents(
    base: Base, jobs: Sequence[Job], drawing: Drawing, adapter: str | Steering = "", on_step: OnStep | None = None
) -> Tensor:
    """Final latents (B, 4, H, W), in the scale the UNet works in.

    `adapter` is the name of the LoRA that the drawing's rule uses, or the rule prepared for it before. `on_step` is
    called after every step. Raises ModelError when the latents are not finite.
    """
    if isinstance(adapter, str):
        adapter = Steering(base.pipe.unet, adapter, drawing.rule, drawing.strength)
    refiner = base.refiner
    against = [drawing.negative_prompt] * len(jobs) if drawing.negative_prompt else None
    words = Words([job.prompt for job in jobs], against)
    how: dict[str, Any] = {
        "generator": [torch.Generator("cpu").manual_seed(job.seed) for job in jobs],
        "guidance_scale": drawing.guidance_scale,
        "num_inference_steps": drawing.num_inference_steps,
        "output_type": "latent",
        "callback_on_step_end": _step_callback(drawing.num_inference_steps, on_step),
    }
    with torch.inference_mode():
        read = read_prompts(base, adapter, words)
        interval = interval_of(base.settings, base.pipe.scheduler)
        with adapter.applied(read.third, interval):
            size = {"width": drawing.width, "height": drawing.height}
            latents = base.pipe(
                **read.given._asdict(), **how, **size, denoising_end=refiner.start if refiner else None
            ).images
        if refiner:
            given = encode_words(refiner.pipe, words, is_weighted=base.settings.weighs_prompts)._asdict()
            with interval.applied(refiner.pipe.unet) if interval else nullcontext():
                latents = refiner.pipe(**given, **how, image=latents, denoising_start=refiner.start).images
    if not torch.isfinite(latents.half()).all():  # as they are stored
        raise ModelError(
            f"the sampler's latents hold NaN or infinite values (rule {drawing.rule}, strength {drawing.strength:g}); "
            "use NAYSAYER_DTYPE=bf16 or fp32, or a lower strength"
        )
    return latents


def _step_callback(steps: int, on_step: OnStep | None) -> Callable[..., dict[str, Any]]:
    """What the pipelines call after each of their steps; base and refiner count on."""
    done, before = 0, None

    def count_step(pipe: Any, _step: int, _timestep: Any, given: dict[str, Any]) -> dict[str, Any]:
        nonlocal done, before
        done += 1
        if on_step:
            on_step(DrawStep(done, steps, partial(predict_clean_latents, pipe.scheduler, before, given["latents"])))
        before = given["latents"]
        return given

    return count_step


def png_of(picture: Image.Image) -> bytes:
    """The picture as PNG without any metadata: nothing in the file tells which version drew it."""
    buffer = io.BytesIO()
    Image.frombytes("RGB", picture.size, picture.convert("RGB").tobytes()).save(buffer, "PNG")
    return buffer.getvalue()


def latent_file(latent_CHW: Tensor) -> bytes:
    """A safetensors file with the latent in float16."""
    return save({"latent": latent_CHW.to("cpu", torch.float16).contiguous()})
