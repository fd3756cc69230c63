"""The miniature's AutoencoderKL: 64x64 RGB to 16x16 latents of 4 channels, and back.

Shape suffixes: B batch, C latent channels (4), H W latent height and width.
"""

import torch
from diffusers import AutoencoderKL
from torch.nn.functional import l1_loss
from tqdm import tqdm

from trainer.builtin.running import autocast, average_gradients, cosine, device_for, own_share, shuffled

SDXL_SCALING_FACTOR = 0.13025
BATCH = 16
LEARNING_RATE = 2e-3
KL_WEIGHT = 1e-5


def new_vae() -> AutoencoderKL:
    """An untrained autoencoder of factor 4, 0.8 M parameters."""
    return AutoencoderKL(
        down_block_types=["DownEncoderBlock2D"] * 3,
        up_block_types=["UpDecoderBlock2D"] * 3,
        block_out_channels=(24, 48, 64),
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=8,
        sample_size=64,
        scaling_factor=SDXL_SCALING_FACTOR,
    )


def train_vae(pixels: torch.Tensor, steps: int, seed: int) -> AutoencoderKL:
    """An autoencoder fit to `pixels` (uint8 [N, 64, 64, 3]), its latents normed as SDXL's are."""
    torch.manual_seed(seed)
    return fit_vae(new_vae().to(device_for()), pixels, steps, seed)


def fit_vae(vae: AutoencoderKL, pixels: torch.Tensor, steps: int, seed: int, ink: float = 0.0) -> AutoencoderKL:
    """The autoencoder trained further, in place. An error on a dark pixel counts 1 + `ink` times."""
    vae.train()
    optimiser = torch.optim.AdamW(vae.parameters(), LEARNING_RATE, betas=(0.9, 0.99), weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, cosine(steps, warmup=100))
    order = shuffled(len(pixels), BATCH, steps, seed)
    for step, rows in enumerate(bar := tqdm(order, "vae", total=steps)):
        loss = _loss(vae, as_signal(pixels[own_share(rows)]).to(vae.device), ink)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        average_gradients(vae.parameters())
        torch.nn.utils.clip_grad_norm_(vae.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        if step % 50 == 0:
            bar.set_postfix(loss=f"{loss.item():.4f}")
    vae.eval()
    norm_latents(vae, pixels[:1024])
    return vae


def as_signal(pixels: torch.Tensor) -> torch.Tensor:
    """uint8 [B, 64, 64, 3] as float32 [B, 3, 64, 64] from -1 to 1."""
    return pixels.permute(0, 3, 1, 2).float() / 127.5 - 1


@torch.no_grad()
def encode(vae: AutoencoderKL, pixels: torch.Tensor, batch: int = 64) -> torch.Tensor:
    """Scaled latent means, float32 [B, C, H, W] on the CPU, as the UNet is trained on."""
    parts = [
        vae.encode(as_signal(part).to(vae.device)).latent_dist.mean.float().cpu()
        for part in tqdm(pixels.split(batch), "encode", leave=False)
    ]
    return torch.cat(parts) * vae.config.scaling_factor


@torch.no_grad()
def norm_latents(vae: AutoencoderKL, pixels: torch.Tensor) -> None:
    """Folds each latent channel's mean and spread into the 1x1 convolutions, in place.

    Afterwards scaled latents have mean 0 and standard deviation 1 under SDXL's own scaling factor,
    so no shift is needed anywhere; the pictures decoded are the same.
    """
    latents_BCHW = encode(vae, pixels) / vae.config.scaling_factor
    mean = latents_BCHW.mean((0, 2, 3)).to(vae.device)
    unit = latents_BCHW.std((0, 2, 3)).to(vae.device) * vae.config.scaling_factor
    into, out = vae.quant_conv, vae.post_quant_conv
    out.bias += out.weight[:, :, 0, 0] @ mean
    out.weight *= unit[None, :, None, None]
    into.bias[:4] -= mean
    into.bias[4:] -= 2 * unit.log()
    into.weight[:4] /= unit[:, None, None, None]
    into.bias[:4] /= unit


def _loss(vae: AutoencoderKL, signal: torch.Tensor, ink: float) -> torch.Tensor:
    with autocast(signal.device):
        seen = vae.encode(signal).latent_dist
        again = vae.decode(seen.sample()).sample
    again = again.float()
    kl = seen.kl().float().mean() / signal[0].numel()
    weight = 1 + ink * (signal.amax(1, keepdim=True) < 0)
    return (weight * (again - signal).abs()).mean() + l1_loss(_slopes(again), _slopes(signal)) + KL_WEIGHT * kl


def _slopes(signal: torch.Tensor) -> torch.Tensor:
    """Differences to the right and lower neighbours: without them thin lines come out blurred."""
    right = signal[..., :-1, 1:] - signal[..., :-1, :-1]
    down = signal[..., 1:, :-1] - signal[..., :-1, :-1]
    return torch.cat([right, down], dim=1)
