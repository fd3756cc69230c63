"""What this card does with SDXL at full size: naysayer bench card

Parts, in order: correctness (bench/card/checks.py); a pass within the memory of small cards, only on CUDA. Without
CUDA the first part runs on the CPU in pictures of 256 px.
"""

import time
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn
from tqdm import tqdm

from bench.card.checks import Finding, correctness, inputs_of, predict
from bench.card.computed import CARDS_GB, GB, full_size
from bench.retrain.full_size import build_full_size
from store.settings import Settings
from trainer.base.free import Memory
from trainer.base.memory import checkpoint_blocks
from trainer.base.model import Base, load_base, pick_device, silence_libraries
from trainer.card.choosing import choose
from trainer.lora.tensors import TRAINED, add_fresh, detach

SIDE_PX = {"cuda": 1024}
ON_A_CPU_PX = 256
CHECKS = 7


@dataclass(frozen=True)
class Card:
    """The device, and everything that was found; `left_out` says in a sentence what was not looked at."""

    device: str
    side_px: int
    seconds: float
    findings: list[Finding]
    left_out: str

    def as_json(self) -> dict[str, Any]:
        """The record, docs/card.json."""
        return asdict(self) | {"findings": [finding._asdict() for finding in self.findings]}

    @property
    def words(self) -> str:
        """The record for the terminal."""
        lines = [f"{'holds' if one.holds else 'FAILS':<6} {one.name}: {one.words}" for one in self.findings]
        left = [self.left_out] if self.left_out else []
        return "\n".join([f"{self.device}, {self.side_px} px, {self.seconds:.0f} s", *lines, *left])


def run_card(wanted: str = "auto") -> Card:
    """Runs every part that this device can run."""
    silence_libraries()
    device, began = pick_device(wanted), time.monotonic()
    side_px = SIDE_PX.get(device.type, ON_A_CPU_PX)
    with tqdm(total=2 + CHECKS + (len(CARDS_GB) if device.type == "cuda" else 0), unit="part") as bar:
        bar.set_description("writing random weights")
        base = _full_size_base(device)
        bar.update(2)

        def tell(name: str) -> None:
            bar.set_description(name)
            bar.update()

        findings = list(correctness(base, side_px, tell))
        if device.type == "cuda":
            findings += [
                _capped(base, card, tell) for card in CARDS_GB if card * GB < torch.cuda.mem_get_info(device)[1]
            ]
    is_card = device.type == "cuda"
    left = "" if is_card else "no CUDA here: only correctness was checked, on the CPU; memory and speed need a card"
    return Card(base.device_words, side_px, time.monotonic() - began, findings, left)


def _full_size_base(device: torch.device) -> Base:
    """The built-in base with the networks of a full-size SDXL of random weights, in bf16."""
    base = load_base(Settings(_env_file=None, device="cpu"))
    pipe = build_full_size("bf16")
    for network in (pipe.unet, pipe.vae, pipe.text_encoder, pipe.text_encoder_2):
        network.requires_grad_(False).eval()
    pipe.to(device)
    settings = base.settings.model_copy(update={"device": device.type, "dtype": "bf16"})
    return Base(pipe, settings, base.sources, base.plain, base.parts)


def _capped(base: Base, card: int, tell: Any) -> Finding:
    """One pass of a fit as a card of so many GB chooses it, with no more memory than that card has."""
    name = f"a pass on {card} GB"
    tell(name)
    chosen = choose(Memory(card * GB, card * GB), full_size(), Settings(_env_file=None), ())
    _, whole = torch.cuda.mem_get_info(base.device)
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats(base.device)
    torch.cuda.set_per_process_memory_fraction(min(1.0, card * GB / whole), base.device)
    try:
        _pass(base, chosen.choice.micro_batch, chosen.choice.gradient_checkpointing)
        taken = torch.cuda.max_memory_reserved(base.device) / GB
        words = f"took {taken:.1f} GB, {chosen.need.fit / GB:.1f} GB were computed"
        return Finding(name, taken <= card, words)
    except torch.OutOfMemoryError as error:
        return Finding(name, False, str(error).splitlines()[0][:200])
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0, base.device)


def _pass(base: Base, latents: int, again: bool) -> None:
    pipe = base.pipe
    away: list[nn.Module] = [pipe.vae, pipe.text_encoder, pipe.text_encoder_2]
    for network in away:
        network.to("cpu")
    parameters = add_fresh(pipe.unet, 16, "all", 0)
    inputs = inputs_of(base, SIDE_PX["cuda"], latents)
    optimizer = torch.optim.AdamW(parameters)
    for _ in range(2):
        with checkpoint_blocks(pipe.unet, again), torch.autocast(base.device.type, base.dtype):
            predict(base, inputs).float().pow(2).mean().backward()
        optimizer.step()
        optimizer.zero_grad()
    detach(pipe, TRAINED)
