from dataclasses import replace

import pytest
import torch
from torch import Tensor

from feedback.sample.work import Job
from tests.trainer.checkpoints import refiner_folder
from tests.trainer.conftest import quick_settings, with_effect
from trainer.base.model import Base, load_base
from trainer.lora.tensors import TRAINED, carriers
from trainer.prompts.encoding import Words, encode_texts
from trainer.sample.guidance import Steering
from trainer.sample.sampler import sample_latents
from trainer.sample.text import read_prompts

PROMPTS, SEEDS = ["a big red star on a blue background", "a small green hand"], [1, 2]
JOBS = [Job(prompt, seed) for prompt, seed in zip(PROMPTS, SEEDS, strict=True)]
W, KAPPA = 3.0, 2.0


@torch.no_grad()
def by_hand(base: Base, rule: str, strength: float, negative_prompt: str) -> Tensor:
    """The pipeline's own steps, each prediction of a rule in a separate UNet call, by peft's own switch."""
    pipe, plain = base.pipe, base.plain
    words = {"negative_prompt": [negative_prompt] * 2} if negative_prompt else {}
    scale = 1.0 if rule == "same-prompt" else strength

    def switch(is_on: bool) -> None:
        for network in carriers(pipe, TRAINED):
            (network.enable_adapters if is_on else network.disable_adapters)()
        if is_on:
            pipe.set_adapters([TRAINED], [scale])

    def texts() -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
        cond, null, pooled, null_pooled = pipe.encode_prompt(PROMPTS, **words)
        return (cond, pooled), (null, null_pooled)

    cond, null = texts()
    switch(is_on=True)
    cond_lora, null_lora = texts()
    switch(is_on=False)
    time_ids = torch.tensor([[plain.height, plain.width, 0, 0, plain.height, plain.width]] * 2, dtype=torch.float32)

    def predicted(latents: Tensor, timestep: Tensor, text: tuple[Tensor, Tensor], is_on: bool) -> Tensor:
        switch(is_on)
        added = {"text_embeds": text[1], "time_ids": time_ids}
        found = pipe.unet(latents, timestep, encoder_hidden_states=text[0], added_cond_kwargs=added).sample
        switch(is_on=False)
        return found

    pipe.scheduler.set_timesteps(plain.num_inference_steps)
    generators = [torch.Generator().manual_seed(seed) for seed in SEEDS]
    latents = pipe.prepare_latents(2, 4, plain.height, plain.width, torch.float32, base.device, generators)
    for timestep in pipe.scheduler.timesteps:
        x = pipe.scheduler.scale_model_input(latents, timestep)
        if rule == "same-prompt":
            c, n = predicted(x, timestep, cond, False), predicted(x, timestep, null, False)
            guided = n + W * (c - n) + KAPPA * (c - predicted(x, timestep, cond_lora, True))
        elif rule == "negative-half":
            c, n = predicted(x, timestep, cond, False), predicted(x, timestep, null_lora, True)
            guided = n + W * (c - n)
        else:
            c, n = predicted(x, timestep, cond_lora, True), predicted(x, timestep, null_lora, True)
            guided = n + W * (c - n)
        latents = pipe.scheduler.step(guided, timestep, latents).prev_sample
    return latents


@pytest.mark.parametrize(
    ("rule", "strength", "negative_prompt"),
    [
        ("same-prompt", KAPPA, ""),
        ("same-prompt", KAPPA, "wrong"),
        ("negative-half", 0.7, ""),
        ("negative-half", 0.7, "wrong"),
        ("woolf", 0.7, "wrong"),
    ],
)
def test_a_picture_is_that_of_separate_passes_by_hand(taught, rule, strength, negative_prompt):
    drawing = replace(
        taught.plain, rule=rule, strength=strength, negative_prompt=negative_prompt, guidance_scale=W
    )  # fmt: skip
    drawn = sample_latents(taught, JOBS, drawing, TRAINED)
    wanted = by_hand(taught, rule, strength, negative_prompt)
    torch.testing.assert_close(drawn, wanted, atol=2e-3, rtol=1e-3)
    text_alone = replace(drawing, rule="plain")
    assert (sample_latents(taught, JOBS, text_alone, TRAINED) - wanted).abs().max() > 0.05


def test_the_rule_says_who_reads_anew(taught):
    words = Words(PROMPTS, ["wrong", "wrong"])
    plain = read_prompts(taught, Steering(taught.pipe.unet, TRAINED, "plain", 0.0), words)
    alone = [taught.pipe.encode_prompt([prompt], negative_prompt=["wrong"]) for prompt in PROMPTS]
    for given, own in zip(plain.given, zip(*alone, strict=True), strict=True):
        assert torch.equal(given, torch.cat(own))
    same = read_prompts(taught, Steering(taught.pipe.unet, TRAINED, "same-prompt", 2.0), words)
    half = read_prompts(taught, Steering(taught.pipe.unet, TRAINED, "negative-half", 1.0), words)
    woolf = read_prompts(taught, Steering(taught.pipe.unet, TRAINED, "woolf", 1.0), words)
    assert torch.equal(same.third[0], woolf.given.prompt_embeds)
    assert torch.equal(half.given.negative_prompt_embeds, woolf.given.negative_prompt_embeds)
    assert torch.equal(half.given.prompt_embeds, same.given.prompt_embeds)
    assert not torch.equal(half.given.negative_prompt_embeds, same.given.negative_prompt_embeds)


def test_still_one_unet_call_a_step(taught):
    calls = []
    counter = taught.pipe.unet.conv_in.register_forward_hook(lambda _m, args, _o: calls.append(len(args[0])))
    sample_latents(taught, JOBS, replace(taught.plain, rule="same-prompt", strength=KAPPA), TRAINED)
    counter.remove()
    assert calls == [6] * taught.plain.num_inference_steps


def test_the_refiner_reads_the_bases_own_text(base, tmp_path):
    folder = refiner_folder(base, tmp_path / "refiner")
    refined = with_effect(load_base(quick_settings(tmp_path, refiner=str(folder), refiner_start=0.5)))
    read = []
    watch = refined.refiner.pipe.unet.register_forward_pre_hook(
        lambda _unet, _args, given: read.append(given["encoder_hidden_states"]), with_kwargs=True
    )
    sample_latents(refined, JOBS, replace(refined.plain, rule="same-prompt", strength=KAPPA), TRAINED)
    plain, _, _, _ = refined.refiner.pipe.encode_prompt(PROMPTS)
    assert torch.equal(read[0][2:], plain)
    read.clear()
    long = Job(f"a (green:1.5) hand BREAK {PROMPTS[0]}", 1)
    sample_latents(refined, [long], refined.plain)
    watch.remove()
    both = encode_texts(refined.pipe, [long.prompt], is_weighted=True)[0].hidden
    assert torch.equal(read[0][1], both[:, -read[0].shape[2] :])
