"""What the sampling rules cost: one steered UNet call against plain guidance with as many rows, and pictures a second.

Every round times each form once, in a new random order, so that other work on the machine and what the form before
left in the caches affect all forms alike. A figure is the median over the rounds of a form's time relative to the plain
form's in the same round. Overheads are ratios minus one: 0.03 is three percent. On a CPU the time is the processor time
of this process, on a GPU the wall clock's. Where a process's memory happens to be shifts all its figures, so several
processes measure one after the other, and the reported figures are the medians over them.
"""

import os
import random
import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from copy import deepcopy
from functools import partial
from multiprocessing import get_context
from typing import Any, NamedTuple

import torch
from diffusers import UNet2DConditionModel
from torch import Tensor

from feedback.recipe import Recipe
from feedback.sample.work import Job
from store.process.child import end_with
from store.settings import Settings
from trainer.base.model import Base, load_base, silence_libraries
from trainer.base.vae import decode_latents
from trainer.lora.tensors import TRAINED, add_fresh, choose_layers
from trainer.sample.adapter_rows import Adapter, Part, adapted_layers, make_forwards, merged_weight
from trainer.sample.guidance import RULES, Steering
from trainer.sample.sampler import sample_latents, steer_drawing

STRENGTHS = {"negative-half": 1.5, "same-prompt": 4.0}
PROMPT = "a big red star on a blue background"
WIDE: dict[str, Any] = {
    "block_out_channels": (80, 160, 320),
    "attention_head_dim": (2, 4, 8),
    "transformer_layers_per_block": (1, 2, 10),
    "layers_per_block": 2,
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    "cross_attention_dim": 512,
    "norm_num_groups": 16,
    "use_linear_projection": True,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 64,
    "projection_class_embeddings_input_dim": 320 + 6 * 64,
}
"""SDXL's own blocks at a quarter of its width: 161 M parameters, random."""
WIDE_BATCH, WIDE_SIDE = 2, 32
STEPS = 5
"""UNet calls of a form in one round, as in a short drawing: only the first computes a text's keys and values."""
Form = Callable[[], object]
Call = dict[str, Any]


class Network(NamedTuple):
    """A UNet without an adapter, and a copy with an adapter that is switched off."""

    stock: UNet2DConditionModel
    adapted: UNet2DConditionModel


def bench_sample(settings: Settings, batch: int, rounds: int, processes: int, *, is_wide: bool) -> dict[str, Any]:
    """Overheads by rule and form, and pictures a second, for the settings' model: medians over the processes.

    `by_process` has each process's overheads for the form in use.
    """
    measured = partial(measure, settings, batch, rounds, is_wide=is_wide)
    with ProcessPoolExecutor(
        1, mp_context=get_context("spawn"), initializer=end_with, initargs=(os.getpid(),), max_tasks_per_child=1
    ) as pool:
        found = [pool.submit(measured).result() for _ in range(processes)]
    names = [f"{rule.replace('-', '_')}_overhead" for rule in STRENGTHS]
    return medians(found) | {"processes": processes, "by_process": {n: [one[n] for one in found] for n in names}}


def medians(found: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The median of every number, also inside dictionaries; of anything else, the first.

    >>> medians([{"a": 3.0, "of": {"b": 1}}, {"a": 1.0, "of": {"b": 2}}, {"a": 2.0, "of": {"b": 9}}])
    {'a': 2.0, 'of': {'b': 2}}
    """

    def middle(values: Sequence[Any]) -> Any:
        if isinstance(values[0], dict):
            return medians(values)
        return statistics.median(values) if isinstance(values[0], (int, float)) else values[0]

    return {name: middle([one[name] for one in found]) for name in found[0]}


def measure(settings: Settings, batch: int, rounds: int, *, is_wide: bool) -> dict[str, Any]:
    """What `bench_sample` reports, measured in this process."""
    silence_libraries()
    base = load_base(settings)
    network = adapted(base.pipe.unet, settings)
    found: dict[str, Any] = {
        "model": base.name,
        "device": str(base.device),
        "dtype": str(base.dtype).removeprefix("torch."),
        "threads": torch.get_num_threads(),
        "load": os.getloadavg()[0],
        "lora": f"rank {settings.lora_rank}, {choose_layers(settings)}",
        "batch": batch,
        "rounds": rounds,
    }
    found |= overheads(network, batch, rounds, base.pipe.unet.config.sample_size)
    found["images_per_s"] = pictures_a_second(base, network, batch, max(3, rounds // 5))
    if is_wide:
        wide = UNet2DConditionModel(**WIDE).requires_grad_(False).eval().to(base.device, base.dtype)
        few = max(3, rounds // 6)
        found["wide"] = {"batch": WIDE_BATCH, "latent_side": WIDE_SIDE, "rounds": few}
        found["wide"] |= overheads(adapted(wide, settings), WIDE_BATCH, few, WIDE_SIDE)
    return found


def adapted(unet: UNet2DConditionModel, settings: Settings) -> Network:
    """The UNet, and a copy with a random adapter of the settings' rank and layers."""
    steered = deepcopy(unet)
    noise = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in add_fresh(steered, settings.lora_rank, choose_layers(settings), seed=0):
            parameter.add_((torch.randn(parameter.shape, generator=noise) * 0.02).to(parameter.device))
            parameter.requires_grad_(False)
    steered.disable_adapters()
    return Network(unet, steered)


def overheads(network: Network, batch: int, rounds: int, side: int) -> dict[str, float]:
    """For both rules: the form in use, the low-rank form, and two passes with the weights swapped between them."""
    found = {}
    for rule, strength in STRENGTHS.items():
        part = RULES[rule]
        assert part is not None
        in_use, low_rank = (Steering(network.adapted, TRAINED, rule, strength) for _ in range(2))
        low_rank.forwards = make_forwards(network.adapted, Adapter(TRAINED, 1.0), part, low_rank.kept, is_merged=False)
        every, shown = (_inputs(network.stock, rows, side) for rows in (part.of * batch, 2 * batch))
        times = interleaved(
            {
                "plain": partial(_predict, network.stock, every),
                "overhead": partial(_predict, network.adapted, shown, in_use),
                "low_rank_overhead": partial(_predict, network.adapted, shown, low_rank),
                "two_passes_overhead": _two_passes(network.adapted, part, every),
            },
            rounds,
            network.stock.device,
        )
        plain, name = times.pop("plain"), rule.replace("-", "_")
        found[f"{name}_plain_s"] = statistics.median(plain)
        for form, seconds in times.items():
            found[f"{name}_{form}"] = statistics.median(a / b for a, b in zip(seconds, plain, strict=True)) - 1
    return found


def pictures_a_second(base: Base, network: Network, batch: int, rounds: int) -> dict[str, float]:
    """Pictures a second of whole drawings, VAE included: diffusers' own pipeline (`stock`), then ours by rule."""

    def stock() -> object:
        base.pipe.unet = network.stock
        plain, seeds = base.plain, [torch.Generator("cpu").manual_seed(seed) for seed in range(batch)]
        return base.pipe(
            [PROMPT] * batch,
            generator=seeds,
            guidance_scale=plain.guidance_scale,
            num_inference_steps=plain.num_inference_steps,
            width=plain.width,
            height=plain.height,
        )

    def ours(rule: str, strength: float) -> Form:
        drawing = steer_drawing(base.plain, Recipe(rule, strength))
        steering = Steering(network.adapted, TRAINED, rule, strength)

        def draw() -> object:
            base.pipe.unet = network.adapted
            return decode_latents(
                base, sample_latents(base, [Job(PROMPT, seed) for seed in range(batch)], drawing, steering)
            )

        return draw

    forms = {"stock": stock} | {rule: ours(rule, strength) for rule, strength in ({"plain": 0.0} | STRENGTHS).items()}
    times = interleaved(forms, rounds, base.device)
    return {rule: batch / statistics.median(seconds) for rule, seconds in times.items()}


def interleaved(forms: dict[str, Form], rounds: int, device: torch.device) -> dict[str, list[float]]:
    """Seconds of every form in every round, after one round that does not count."""
    clock = time.process_time if device.type == "cpu" else time.perf_counter
    times: dict[str, list[float]] = {name: [] for name in forms}
    chance = random.Random(0)
    with torch.inference_mode():
        for number in range(rounds + 1):
            for name in chance.sample(list(forms), len(forms)):
                _wait_for(device)
                begun = clock()
                forms[name]()
                _wait_for(device)
                if number:
                    times[name].append(clock() - begun)
    return times


def _wait_for(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _inputs(unet: UNet2DConditionModel, rows: int, side: int) -> Call:
    chance, how = torch.Generator().manual_seed(0), unet.config
    pooled = how.projection_class_embeddings_input_dim - 6 * how.addition_time_embed_dim

    def noise(*shape: int) -> Tensor:
        return torch.randn((rows, *shape), generator=chance).to(unet.device, unet.dtype)

    return {
        "sample": noise(how.in_channels, side, side),
        "encoder_hidden_states": noise(77, how.cross_attention_dim),
        "added_cond_kwargs": {"text_embeds": noise(pooled), "time_ids": torch.full_like(noise(6), 64.0)},
    }


def _predict(unet: UNet2DConditionModel, call: Call, steering: Steering | None = None, steps: int = STEPS) -> Any:
    rest = {name: value for name, value in call.items() if name != "sample"}
    timestep = torch.tensor(601, device=unet.device)
    with steering.applied() if steering else nullcontext():
        for _ in range(steps):
            found = unet(call["sample"], timestep, **rest, return_dict=False)
    return found


def _two_passes(unet: UNet2DConditionModel, part: Part, call: Call) -> Form:
    """As ComfyUI's hooks do it: copy the LoRA's merged weights in, call for its rows, copy back, call for the rest."""
    layers = list(adapted_layers(unet, TRAINED).values())
    weights = [layer.get_base_layer().weight for layer in layers]
    own, merged = [weight.clone() for weight in weights], [merged_weight(layer, TRAINED, 1.0) for layer in layers]
    start, end = part.bounds(len(call["sample"]))
    adapted_rows, base_rows = (
        _rows(call, slice(start, end)),
        _rows(call, slice(end, None) if start == 0 else slice(start)),
    )

    def form() -> Any:
        for _ in range(STEPS):
            for weight, other in zip(weights, merged, strict=True):
                weight.copy_(other)
            first = _predict(unet, adapted_rows, steps=1)
            for weight, other in zip(weights, own, strict=True):
                weight.copy_(other)
            second = _predict(unet, base_rows, steps=1)
        return first, second

    return form


def _rows(call: Call, part: slice) -> Call:
    return {name: _rows(value, part) if isinstance(value, dict) else value[part] for name, value in call.items()}


def table(found: dict[str, Any]) -> str:
    """The figures for the terminal."""
    lines = [
        f"{found['model']}, {found['lora']}, {found['batch']} pictures at once, {found['device']} {found['dtype']}, "
        f"{found['threads']} threads, {found['rounds']} rounds in each of {found['processes']} processes",
        *_lines(found),
    ]
    for name, values in found["by_process"].items():
        lines.append(f"{name} by process: " + ", ".join(f"{value:+.1%}" for value in values))
    speeds = ", ".join(f"{rule} {value:.3g}" for rule, value in found["images_per_s"].items())
    lines.append(f"pictures a second: {speeds}")
    if wide := found.get("wide"):
        lines.append(
            f"SDXL at a quarter of its width, random, {wide['latent_side']} px latents, {wide['batch']} at once"
        )
        lines += _lines(wide)
    return "\n".join(lines)


def _lines(found: dict[str, Any]) -> list[str]:
    lines = [f"{'over plain guidance, same rows':<32}{'in use':>10}{'low-rank':>10}{'two passes':>12}"]
    for rule in STRENGTHS:
        name = rule.replace("-", "_")
        in_use, low_rank, two = (found[f"{name}_{form}overhead"] for form in ("", "low_rank_", "two_passes_"))
        lines.append(f"{rule:<32}{in_use:>+10.1%}{low_rank:>+10.1%}{two:>+12.1%}")
    return lines
