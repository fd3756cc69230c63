"""The miniature's text_time UNet, trained together with its text encoders.

Shape suffixes: B batch, C latent channels (4), H W latent height and width (16), L tokens (77),
D text width (128), P pooled text width (64).
"""

from collections.abc import Callable
from copy import deepcopy
from typing import NamedTuple

import torch
from diffusers import EulerDiscreteScheduler, StableDiffusionXLPipeline, UNet2DConditionModel
from torch.nn.functional import mse_loss
from tqdm import tqdm

from trainer.builtin.running import attention, autocast, average_gradients, cosine, own_share, rank, shuffled
from trainer.builtin.text import WIDTH

BATCH = 32
LEARNING_RATE = 1e-3
EMA_DECAY = 0.999
NULL_SHARE = 0.12
"""Rows trained with zero embeddings: SDXL's null prompt (force_zeros_for_empty_prompt)."""
EMPTY_SHARE = 0.02
"""Rows trained with the empty text, which a typed but blank negative prompt is."""
TIME_IDS = (64, 64, 0, 0, 64, 64)
"""SDXL's size conditioning: original size, crop corner, target size, pixels."""


def new_unet() -> UNet2DConditionModel:
    """An untrained UNet of 2.4 M parameters, attending to the text at 8x8 as SDXL does below full size."""
    return UNet2DConditionModel(
        sample_size=16,
        down_block_types=["DownBlock2D", "CrossAttnDownBlock2D"],
        up_block_types=["CrossAttnUpBlock2D", "UpBlock2D"],
        block_out_channels=(48, 96),
        layers_per_block=1,
        norm_num_groups=16,
        cross_attention_dim=2 * WIDTH,
        attention_head_dim=[2, 4],
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=32,
        projection_class_embeddings_input_dim=WIDTH + 32 * len(TIME_IDS),
    )


def new_scheduler() -> EulerDiscreteScheduler:
    """Euler with SDXL's own noise schedule."""
    return EulerDiscreteScheduler(
        num_train_timesteps=1000,
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        prediction_type="epsilon",
        timestep_spacing="leading",
        steps_offset=1,
    )


class Lessons(NamedTuple):
    """Scaled latents and their captions, taken in `steps` batches whose order depends on `seed`."""

    latents_BCHW: torch.Tensor
    prompts: list[str]
    steps: int
    seed: int


def train_unet(
    pipe: StableDiffusionXLPipeline,
    lessons: Lessons,
    save: Callable[[StableDiffusionXLPipeline], None] = lambda pipe: None,
    save_every: int = 10**9,
) -> None:
    """Fits the UNet and both text encoders of `pipe`, in place, and leaves their moving average in it.

    `save` gets a copy of the pipeline with the average so far, every `save_every` steps.
    """
    latents_BCHW, prompts, steps, seed = lessons
    torch.manual_seed(seed + 1000 * rank())
    parts = torch.nn.ModuleList([pipe.unet, pipe.text_encoder, pipe.text_encoder_2]).train()
    average = deepcopy(parts).requires_grad_(False)
    optimiser = torch.optim.AdamW(parts.parameters(), LEARNING_RATE, betas=(0.9, 0.99), weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, cosine(steps, warmup=200))
    order = shuffled(len(prompts), BATCH, steps, seed)
    mean_loss = None
    for step, rows in enumerate(bar := tqdm(order, "unet", total=steps, mininterval=5, disable=rank() > 0)):
        rows = own_share(rows)
        loss = _loss(pipe, latents_BCHW[rows], [prompts[row] for row in rows])
        optimiser.zero_grad(set_to_none=True)
        with attention(loss.device):
            loss.backward()
        average_gradients(parts.parameters())
        torch.nn.utils.clip_grad_norm_(parts.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        _follow(average, parts, min(EMA_DECAY, (step + 1) / (step + 10)))
        if step % 20 == 0:
            mean_loss = loss.item() if mean_loss is None else 0.95 * mean_loss + 0.05 * loss.item()
            bar.set_postfix(loss=f"{mean_loss:.4f}")
        if (step + 1) % save_every == 0 and rank() == 0:
            save(_with(pipe, average))
    parts.load_state_dict(average.state_dict())
    parts.eval()


def _loss(pipe: StableDiffusionXLPipeline, latents_BCHW: torch.Tensor, prompts: list[str]) -> torch.Tensor:
    """The epsilon objective (Ho et al. 2020, eq. 14) under SDXL's conditioning."""
    device, count = pipe.unet.device, len(prompts)
    prompts = ["" if blank else p for p, blank in zip(prompts, torch.rand(count) < EMPTY_SHARE, strict=True)]
    latents_BCHW = latents_BCHW.to(device)
    noise_BCHW = torch.randn_like(latents_BCHW)
    timesteps_B = torch.randint(pipe.scheduler.config.num_train_timesteps, (count,))
    signal_B111 = _alphas_cumprod(pipe)[timesteps_B].to(device)[:, None, None, None]
    noisy_BCHW = signal_B111.sqrt() * latents_BCHW + (1 - signal_B111).sqrt() * noise_BCHW
    asked_B = (torch.rand(count) >= NULL_SHARE).float().to(device)
    with autocast(device), attention(device):
        text_BLD, _, pooled_BP, _ = pipe.encode_prompt(prompts, do_classifier_free_guidance=False)
        added = {
            "text_embeds": pooled_BP * asked_B[:, None],
            "time_ids": torch.tensor([TIME_IDS] * count, dtype=torch.float32, device=device),
        }
        text_BLD = text_BLD * asked_B[:, None, None]
        noise_pred = pipe.unet(noisy_BCHW, timesteps_B.to(device), text_BLD, added_cond_kwargs=added).sample
    return mse_loss(noise_pred.float(), noise_BCHW)


def _alphas_cumprod(pipe: StableDiffusionXLPipeline) -> torch.Tensor:
    return pipe.scheduler.alphas_cumprod.float().cpu()


@torch.no_grad()
def _follow(average: torch.nn.Module, parts: torch.nn.Module, decay: float) -> None:
    torch._foreach_lerp_(list(average.parameters()), list(parts.parameters()), 1 - decay)


def _with(pipe: StableDiffusionXLPipeline, average: torch.nn.ModuleList) -> StableDiffusionXLPipeline:
    """The pipeline around copies of the averaged parts."""
    unet, first, second = deepcopy(average).eval()
    rest = {"vae": deepcopy(pipe.vae), "scheduler": pipe.scheduler, "force_zeros_for_empty_prompt": True}
    tokens = {"tokenizer": pipe.tokenizer, "tokenizer_2": pipe.tokenizer_2}
    return StableDiffusionXLPipeline(unet=unet, text_encoder=first, text_encoder_2=second, **tokens, **rest)
