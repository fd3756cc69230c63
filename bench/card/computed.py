"""What cards of usual sizes do at 1024 px, computed from the full-size configuration: naysayer bench card --computed"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from bench.retrain.full_size import TEXT, TEXT_2, UNET, VAE
from store.errors import BadRequest
from store.phrases import plural
from store.settings import Settings
from trainer.base.free import Memory
from trainer.card.choosing import Choice, Chosen, choose, need_of
from trainer.card.sizes import GB, Shape, Sizes, count

CARDS_GB = (8, 12, 16, 24, 80)
QUANTIZERS = ("fp8", "nf4")
BEGIN, END = "<!-- `naysayer bench card --computed --docs` writes this table. -->", "<!-- the end of the table -->"
EMPTY = Settings(_env_file=None)
MEASURED = ((8, False, "82 GB"), (8, True, "13 GB"), (1, True, "7.7 GB"))
"""Latents a pass, with gradient checkpointing or not, and what a fit took on an H200 (docs/measured/log.md)."""


def full_size(rank: int = 16, layers: str = "all", side_px: int = 1024) -> Sizes:
    """The sizes of SDXL in bf16, counted now."""
    with torch.device("meta"):
        configs = [dict(UNet2DConditionModel(**UNET).config), dict(AutoencoderKL(**VAE).config)]
        encoders = [
            CLIPTextModel(CLIPTextConfig(**TEXT, projection_dim=768)),
            CLIPTextModelWithProjection(CLIPTextConfig(**TEXT_2, projection_dim=1280)),
        ]
    unet, vae = ({name: value for name, value in config.items() if name[0] != "_"} for config in configs)
    shape = Shape(unet, vae, side_px, side_px, "bfloat16", rank, layers, 3)
    each = [torch.bfloat16.itemsize * _parameters(encoder) for encoder in encoders]
    return Sizes(**count(shape), encoders=sum(each), encoder=max(each), refiner=0, has_own=True)


def _parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def table(sizes: Sizes) -> str:
    """What is chosen for each card, and what was measured beside what is computed, as Markdown."""
    cards = "| computed for | latents a pass | again | pictures at once | decoded | encoders leave | a fit | drawing |"
    lines = [cards, "| --- " * 8 + "|", *(_row(card, _on(card, sizes)) for card in CARDS_GB), ""]
    lines += ["| a fit on an H200 | computed | measured |", "| --- | --- | --- |"]
    lines += [*(_check(sizes, *row) for row in MEASURED), ""]
    lines += ["| computed: the least a card can have | a fit | drawing |", "| --- | --- | --- |"]
    return "\n".join(lines + [_least(sizes, quantizer) for quantizer in ("none", *QUANTIZERS)])


def _on(card: int, sizes: Sizes) -> Chosen:
    return choose(Memory(card * GB, card * GB), sizes, EMPTY, QUANTIZERS)


def _row(card: int, chosen: Chosen) -> str:
    choice, need = chosen.choice, chosen.need
    cells: Iterable[Any] = (
        f"{card} GB free",
        choice.micro_batch,
        _yes(choice.gradient_checkpointing),
        choice.sample_batch,
        choice.vae_decode,
        _yes(choice.offload_encoders),
        f"{need.fit / GB:.1f} GB",
        f"{need.draw / GB:.1f} GB",
    )
    return f"| {' | '.join(map(str, cells))} |"


def _check(sizes: Sizes, latents: int, again: bool, measured: str) -> str:
    need = need_of(Choice(latents, again, "none", 1, "whole", False), sizes)
    how = "with" if again else "without"
    return f"| {plural(latents, 'latent')} a pass, {how} gradient checkpointing | {need.fit / GB:.1f} GB | {measured} |"


def _least(sizes: Sizes, quantizer: str) -> str:
    need = need_of(Choice(1, True, quantizer, 1, "tiled", True), sizes)
    name = "bf16" if quantizer == "none" else f"UNet in {quantizer}"
    return f"| {name} | {need.fit / GB:.1f} GB | {need.draw / GB:.1f} GB |"


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def write_into(page: Path, found: str, begin: str = BEGIN, end: str = END) -> None:
    """Puts the table between its two marks in a page. Raises BadRequest when they are not there."""
    text = page.read_text(encoding="utf-8")
    if text.count(begin) != 1 or text.count(end) != 1:
        raise BadRequest(f"{page} needs the lines {begin} and {end} once each, for the table to come between them")
    before, rest = text.split(begin)
    _, after = rest.split(end)
    page.write_text(f"{before}{begin}\n\n{found}\n\n{end}{after}", encoding="utf-8")
