"""A version's files are loaded again before they are published, and must do what they should."""

from pathlib import Path

import torch
from torch import Tensor

from feedback.retrain.progress import Tell, quiet
from store.errors import BadExport, BadLora
from trainer.base.model import Base
from trainer.lora.formats import DIFFUSERS_FILE, KOHYA_FILE
from trainer.lora.tensors import TRAINED, attach_file, detach
from trainer.lora.text_encoders import has_text_lora
from trainer.sample.text import probe_text

UNET, TEXT = "UNet", "text encoders"
LARGEST_PROBE = 32
"""Height and width of the probe's latent; a network that differs shows it at any size."""
CLEAR_OF_ROUNDING = 0.1
"""Relative change of the prediction that the rounding of half precision does not hide."""
MOST_TIMES = 2.0**20
Probes = dict[str, Tensor]


def check_trained(base: Base, folder: Path, tell: Tell = quiet) -> None:
    """Loads each file into the base without the trained adapter, and compares what both networks give.

    One UNet forward, and one text where the text encoders were trained; tells of each quarter of the work. A change of
    the UNet that half precision would round away is compared at a multiple of its strength. Removes the trained
    adapter. Raises BadExport.
    """
    has_text = has_text_lora(base.pipe, TRAINED)
    base.pipe.unet.disable_adapters()
    plain = _probes(base, "", has_text)
    tell(1 / 4)
    wanted, times = _clear_probes(base, plain, has_text)
    detach(base.pipe, TRAINED)
    tell(1 / 4)
    for file in (DIFFUSERS_FILE, KOHYA_FILE):
        found = _loaded_probes(base, folder / file, has_text, times)
        tell(1 / 4)
        for network in wanted:
            # A UNet in half precision is imprecise; the direction of the change must still be that of training.
            most = 0.5 if network == UNET and base.dtype != torch.float32 else 0.05
            error, strength = _compare(found[network] - plain[network], wanted[network] - plain[network])
            if not (error <= most and abs(strength - 1) <= 0.1):
                raise BadExport(
                    f"{file} reloads to another network than was trained (its change of the {network} differs by "
                    f"{error:.0%}, at {strength:.0%} of the strength); no version was made; check the versions of "
                    "diffusers and peft with `naysayer doctor`"
                )


def check_imported(base: Base, path: Path, folder: Path) -> None:
    """Both files load, give finite numbers and change the base's prediction. Raises BadLora, naming `path`."""
    plain = probe(base)
    for file in (DIFFUSERS_FILE, KOHYA_FILE):
        found = _loaded_probes(base, folder / file, has_text=True)
        if not torch.isfinite(found[UNET]).all():
            raise BadLora(path, "with it the UNet predicts NaN or infinite values")
        if not torch.isfinite(found[TEXT]).all():
            raise BadLora(path, "with it the text encoders give NaN or infinite values")
        if torch.equal(found[UNET], plain):
            raise BadLora(path, "the UNet predicts the same with and without it, so there is nothing to compare")


def _clear_probes(base: Base, plain: Probes, has_text: bool) -> tuple[Probes, float]:
    """What the networks give with the trained adapter, and at how many times its strength the UNet was asked."""
    times = 1.0
    while True:
        found = _probes(base, TRAINED, has_text, times)
        change = float((found[UNET] - plain[UNET]).norm() / plain[UNET].norm())
        if base.dtype == torch.float32 or not change < CLEAR_OF_ROUNDING or times >= MOST_TIMES:
            return found, times
        # What rounding adds makes the change look larger than it is, so one step may not be enough.
        times = min(MOST_TIMES, times * max(2.0, CLEAR_OF_ROUNDING / max(change, 1e-9)))


def _loaded_probes(base: Base, file: Path, has_text: bool, times: float = 1.0) -> Probes:
    """What the networks give with the file loaded, the UNet at so many times its strength."""
    attach_file(base.pipe, file, "check")
    found = _probes(base, "check", has_text, times)
    detach(base.pipe, "check")
    return found


def _probes(base: Base, name: str, has_text: bool, times: float = 1.0) -> Probes:
    """What the networks give with the adapter `name`, the UNet at so many times its strength; "" for none."""
    if name:
        base.pipe.unet.enable_adapters()
        base.pipe.unet.set_adapters([name], [times])
    return {UNET: probe(base)} | ({TEXT: probe_text(base.pipe, name)} if has_text else {})


def _compare(found: Tensor, wanted: Tensor) -> tuple[float, float]:
    """Norm of the difference, and share of `wanted` that is in `found`, both relative to `wanted`."""
    norm = wanted.norm()
    return float((found - wanted).norm() / norm), float((found * wanted).sum() / norm**2)


@torch.inference_mode()
def probe(base: Base) -> Tensor:
    """One UNet forward on fixed noise, text and time: float32, on the CPU."""
    unet, random = base.pipe.unet, torch.Generator().manual_seed(0)
    side = min(unet.config.sample_size, LARGEST_PROBE)
    width, pooled = unet.config.cross_attention_dim, base.pipe.text_encoder_2.config.projection_dim

    def noise(*shape: int) -> Tensor:
        return torch.randn(shape, generator=random).to(base.device, base.dtype)

    return (
        unet(
            noise(1, unet.config.in_channels, side, side),
            torch.tensor([700], device=base.device),
            encoder_hidden_states=noise(1, 77, width),
            added_cond_kwargs={
                "text_embeds": noise(1, pooled),
                "time_ids": torch.zeros(1, 6).to(base.device, base.dtype),
            },
            return_dict=False,
        )[0]
        .float()
        .cpu()
    )
