"""Builds the built-in model: a genuine SDXL in miniature, trained on the drawn world, or on another.

One process:   python -m trainer.builtin.build trainer/builtin/model
Two processes: torchrun --standalone --nproc-per-node 2 -m trainer.builtin.build trainer/builtin/model

Several processes of one thread share each batch, which on a busy CPU is twice as fast as one of several threads.
"""

import argparse
import json
import shutil
import tempfile
from collections.abc import Callable
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
from diffusers import AutoencoderKL, StableDiffusionXLPipeline

import trainer.world
from trainer.builtin.running import device_for, rank, repeatable
from trainer.builtin.text import new_text_encoders, new_tokenizers
from trainer.builtin.unet import Lessons, new_scheduler, new_unet, train_unet
from trainer.builtin.vae import encode, fit_vae, train_vae
from trainer.builtin.worlds import Captioned, World

SAVE_EVERY = 1000
INK_WEIGHT = 6.0
Keep = Callable[[StableDiffusionXLPipeline], None]
DEFAULTS = {"num_inference_steps": 20, "height": 64, "width": 64}


class Course(NamedTuple):
    """Steps of training on that many drawn pictures, the share `faulty` of them drawn with a fault."""

    pictures: int
    faulty: float
    steps: int


class Plan(NamedTuple):
    """The autoencoder's steps, then the courses of the rest, and the `guidance` that the model is used with.

    Before the second course the autoencoder may get `retouch_steps` more, in which dark lines count most.

    In the second the built-in model learns to write and count: the mistakes it makes then, it was shown.
    """

    vae_steps: int = 1600
    first: Course = Course(20_000, 0.45, 5000)
    second: Course = Course(40_000, 0.55, 9000)
    guidance: float = 2.0
    retouch_steps: int = 0


PLAN = Plan()


@repeatable()
def main(
    out: Path, seed: int = 0, plan: Plan = PLAN, begin_from: Path | None = None, world: World = trainer.world
) -> None:
    """Draws the world's pictures, trains the autoencoder, then the rest in two courses, into `out`.

    `begin_from` is the folder of a model that has had the first course: only the second is run. `out` is replaced as a
    whole, by a rough model every SAVE_EVERY steps and by the finished one; its README.md is kept.
    """
    if begin_from:
        pipe = StableDiffusionXLPipeline.from_pretrained(begin_from, use_safetensors=True).to(
            device_for(), torch.float32
        )
    else:
        drawn = world.pictures(plan.first.pictures, plan.first.faulty, seed)
        autoencoder = train_vae(torch.from_numpy(drawn.pixels), plan.vae_steps, seed).to(device_for()).eval()
        pipe = new_pipeline(autoencoder, seed + 1, world)
        _teach(pipe, drawn, plan.first.steps, seed + 2, partial(save, out=out, guidance=plan.guidance))
    drawn = world.pictures(plan.second.pictures, plan.second.faulty, seed + 3)
    if plan.retouch_steps:
        fit_vae(pipe.vae, torch.from_numpy(drawn.pixels), plan.retouch_steps, seed + 3, INK_WEIGHT).eval()
    _teach(pipe, drawn, plan.second.steps, seed + 4, partial(save, out=out, guidance=plan.guidance))


def _teach(pipe: StableDiffusionXLPipeline, drawn: Captioned, steps: int, seed: int, keep: Keep) -> None:
    latents = encode(pipe.vae, torch.from_numpy(drawn.pixels))
    train_unet(pipe, Lessons(latents, drawn.prompts, steps, seed), keep, SAVE_EVERY)
    if rank() == 0:
        keep(pipe)


def new_pipeline(vae: AutoencoderKL, seed: int, world: World = trainer.world) -> StableDiffusionXLPipeline:
    """The stock pipeline around an autoencoder, everything else untrained."""
    torch.manual_seed(seed)
    tokenizer, tokenizer_2 = new_tokenizers(world)
    text_encoder, text_encoder_2 = new_text_encoders(tokenizer)
    pipe = StableDiffusionXLPipeline(
        vae=vae,
        text_encoder=text_encoder,
        text_encoder_2=text_encoder_2,
        tokenizer=tokenizer,
        tokenizer_2=tokenizer_2,
        unet=new_unet(),
        scheduler=new_scheduler(),
        force_zeros_for_empty_prompt=True,
    )
    return pipe.to(vae.device)


def save(pipe: StableDiffusionXLPipeline, out: Path, guidance: float = PLAN.guidance) -> None:
    """Writes the model folder as fp16 safetensors, whole or not at all; a README.md there is kept."""
    out.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=".model-", dir=out.parent))
    _halved(pipe).save_pretrained(staging, safe_serialization=True)
    for encoder in ("text_encoder", "text_encoder_2"):
        _load_as_float32(staging / encoder / "config.json")
    defaults = {"guidance_scale": guidance, **DEFAULTS}
    (staging / "naysayer.json").write_text(json.dumps(defaults, indent=2) + "\n", encoding="utf-8")
    if (out / "README.md").exists():
        shutil.copy(out / "README.md", staging)
    shutil.rmtree(out, ignore_errors=True)
    staging.chmod(0o755)
    staging.rename(out)


def _load_as_float32(config: Path) -> None:
    """transformers loads weights in the type its config names: without this, half on a CPU beside a float UNet."""
    settings = json.loads(config.read_text(encoding="utf-8")) | {"dtype": "float32"}
    config.write_text(json.dumps(settings, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _halved(pipe: StableDiffusionXLPipeline) -> StableDiffusionXLPipeline:
    return StableDiffusionXLPipeline(
        **{name: deepcopy(part) for name, part in pipe.components.items()}, force_zeros_for_empty_prompt=True
    ).to(torch.float16)


def from_command_line(plan: Plan = PLAN, world: World = trainer.world) -> None:
    """Reads the command line, whose options may change the steps of `plan`, and builds."""
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--vae-steps", type=int, default=plan.vae_steps)
    parser.add_argument("--unet-steps", type=int, default=plan.first.steps)
    parser.add_argument("--more-steps", type=int, default=plan.second.steps)
    parser.add_argument("--begin-from", type=Path, help="a model that has had the first course: only the second is run")
    asked = parser.parse_args()
    if torch.distributed.is_torchelastic_launched():
        torch.distributed.init_process_group("gloo")
    first, second = (plan.first._replace(steps=asked.unet_steps), plan.second._replace(steps=asked.more_steps))
    plan = plan._replace(vae_steps=asked.vae_steps, first=first, second=second)
    main(asked.out, asked.seed, plan, asked.begin_from, world)


if __name__ == "__main__":
    from_command_line()
