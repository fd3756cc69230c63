"""How fast a card draws and trains, and what each memory setting takes there: figures, not checks."""

import time
from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from bench.card.parts.checks import Inputs, inputs_of, predict
from bench.card.parts.limits import STRENGTH, chosen_to_draw, draw
from bench.card.parts.meter import Meter
from bench.card.parts.subject import Subject
from bench.retrain.train import PEAKS
from bench.sample import Form, interleaved
from trainer.base.model import Base
from trainer.base.pipeline import set_decoding
from trainer.base.vae import decode_latents
from trainer.card.choosing import choose, need_of
from trainer.card.loading import quantizers_of
from trainer.fit.fit import Watch
from trainer.lora.tensors import TRAINED, add_fresh
from trainer.sample.guidance import RULES, Steering

DRAWING_STEPS = 20
PICTURES = 4
"""At once, where so many fit."""
CALLS, ROUNDS = 3, 1
FIT_STEPS = 4
"""The first one is not timed."""
LATENTS = 8
"""In a step, as by default."""
FORWARDS_A_LATENT = 3
"""Under `nft`: the base's prediction, the adapter's, and its gradient, which computes none for frozen weights."""
DECODED = 4

Tell = Callable[[str], None]


def drawing_speed(subject: Subject, tell: Tell, steps: int = DRAWING_STEPS) -> dict[str, Any]:
    """Pictures a minute, plain and by rule, with the VAE, and each rule's call relative to plain with as many rows.

    Each rule is prepared only while it is measured, so that all have the same free memory.
    """
    chosen = choose(Meter(subject.device).for_us, subject.sizes, subject.settings, ())
    pictures, decoded = min(PICTURES, chosen.choice.sample_batch), chosen.choice.vae_decode
    rows = {}
    with subject.taken_off(), chosen_to_draw(subject.base, chosen) as base:
        add_fresh(base.pipe.unet, subject.settings.lora_rank, "all", 0)
        base.pipe.unet.disable_adapters()
        for rule in RULES:
            tell(f"pictures a minute, {rule}")
            rows[rule] = _rule(base, subject, rule, pictures, steps)
    return {"pictures_at_once": pictures, "steps": steps, "decoded": decoded, "rules": rows}


def _rule(base: Base, subject: Subject, rule: str, pictures: int, steps: int) -> dict[str, float]:
    part = RULES[rule]
    as_many = max(2, part.of if part else 2) * pictures
    plain, ruled = (inputs_of(base, subject.full_px, count) for count in (as_many, 2 * pictures))
    forms: dict[str, Form] = {
        "plain": partial(_call, base, plain, _steering(base, "plain")),
        "ruled": partial(_call, base, ruled, _steering(base, rule)),
        "drawing": partial(draw, base, subject, pictures, rule, steps),
    }
    times = {name: median(seconds) for name, seconds in interleaved(forms, ROUNDS, base.device).items()}
    return {
        "per_minute": 60 * pictures / times["drawing"],
        "of_plain_with_as_many_rows": times["ruled"] / times["plain"],
    }


def _steering(base: Base, rule: str) -> Steering:
    return Steering(base.pipe.unet, TRAINED, rule, 0.0 if rule == "plain" else STRENGTH)


def _call(base: Base, inputs: Inputs, steering: Steering) -> None:
    with steering.applied():
        for _ in range(CALLS):
            predict(base, inputs)


def retrain_speed(subject: Subject, tell: Tell) -> dict[str, Any]:
    """Images a second of a retrain's steps, share of the bf16 peak, and peak memory: as chosen for what is free, and
    with one setting changed, where that fits.
    """
    sizes, memory = subject.sizes, Meter(subject.device).for_us
    tell("operations of a latent")
    tflop = _tflop(subject)
    chosen = choose(memory, sizes, subject.settings, ()).choice
    found = {"as chosen": (chosen.micro_batch, chosen.gradient_checkpointing)}
    for name, (rows, again) in {"with gradient checkpointing": (LATENTS, True), "one latent a pass": (1, True)}.items():
        way = chosen._replace(micro_batch=rows, gradient_checkpointing=again)
        if (rows, again) not in found.values() and need_of(way, sizes).fit <= memory.free:
            found[name] = (rows, again)
    fits = {}
    for name, (rows, again) in found.items():
        tell(f"a fit {name}")
        fits[name] = fit_speed(subject, rows, again, tflop)
    return {"objective": subject.settings.objective, "tflop_a_latent": tflop, "fits": fits}


def fit_speed(subject: Subject, latents: int, again: bool, tflop: float) -> dict[str, Any]:
    """What a few steps of a fit take."""
    meter, ends = Meter(subject.device), list[float]()
    watch = Watch(on_step=lambda step, steps: ends.append(_now(subject.device)))
    meter.start()
    batch = max(2, min(LATENTS, 2 * latents))
    changes: dict[str, Any] = {"train_batch": batch, "micro_batch": latents, "gradient_checkpointing": again}
    with subject.taken_off():
        subject.fit(subject.full_px, watch, train_steps=FIT_STEPS, **changes)
    per_s = batch * (len(ends) - 1) / (ends[-1] - ends[0])
    most = next((peak for name, peak in PEAKS.items() if name in subject.base.device_words), None)
    return {
        "latents_a_pass": latents,
        "gradient_checkpointing": again,
        "images_per_s": per_s,
        "bf16_peak_share": FORWARDS_A_LATENT * tflop * per_s / most if most else None,
        "peak_gb": meter.peak / 1e9,
        "ran_out_of_memory": meter.ooms,
    }


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


@torch.no_grad()
def _tflop(subject: Subject) -> float:
    """Operations of the UNet's forward pass for one latent, in 10¹²."""
    base = subject.base
    inputs = inputs_of(base, subject.full_px, 1)
    with FlopCounterMode(display=False) as counter:
        predict(base, inputs)
    return counter.get_total_flops() / 1e12


def decoding_memory(subject: Subject, tell: Tell) -> dict[str, Any]:
    """Seconds and peak memory of decoding pictures in each way, weights included; None where that does not fit."""
    base, side = subject.base, subject.full_px // subject.base.pipe.vae_scale_factor
    channels = base.pipe.vae.config.latent_channels
    latents = torch.randn(DECODED, channels, side, side, generator=torch.Generator().manual_seed(0)).to(base.device)
    rows: dict[str, dict[str, float] | None] = {}
    for way in ("whole", "sliced", "tiled"):
        tell(f"decoding {way}")
        set_decoding(base.pipe.vae, way)
        meter = Meter(base.device)
        meter.start()
        began = _now(base.device)
        try:
            decode_latents(base, latents, may_be_black=True)
            rows[way] = {"seconds": _now(base.device) - began, "peak_gb": meter.peak / 1e9}
        except torch.OutOfMemoryError:
            rows[way] = None
        _whole(base)
    return {"pictures": DECODED, "ways": rows}


def _whole(base: Base) -> None:
    base.pipe.vae.disable_slicing()
    base.pipe.vae.disable_tiling()


def quantised_fits(subject: Subject, tell: Tell) -> dict[str, Any]:
    """A fit of the base under each quantiser that is installed and runs here."""
    rows = {}
    for kind in quantizers_of(subject.device):
        tell(f"a fit in {kind}")
        subject.drop()
        plain, subject.settings = subject.settings, subject.settings.model_copy(update={"base_quantization": kind})
        try:
            rows[kind] = fit_speed(subject, LATENTS, True, 0.0) | {"bf16_peak_share": None}
        finally:
            subject.drop()
            subject.settings = plain
    return rows
