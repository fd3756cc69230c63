"""Programs with their own formats."""

import json
from typing import Any

import pytest

from feedback.metadata.found import Found, Lora, Mark, Status
from feedback.metadata.read import read_bytes
from tests.feedback.metadata import made

SIZE = {"width": 64, "height": 64}


def read(*chunks: bytes, size: tuple[int, int] = (64, 64)) -> Found:
    return read_bytes(made.png(*chunks, size=size), "a.png")[0]


def said(found: Found) -> tuple[Any, ...]:
    return found.status, found.tool, found.prompt, found.negative_prompt, found.seed


def of_invoke(**more: Any) -> Found:
    plain = {
        "generation_mode": "sdxl_txt2img",
        "positive_prompt": "a fox",
        "negative_prompt": "blurry",
        "seed": 42,
        **SIZE,
    }
    model = {"model": {"key": "1", "name": "fox", "base": "sdxl", "type": "main"}, "steps": 20, "cfg_scale": 6.5}
    return read(made.international("invokeai_metadata", json.dumps(plain | model | more)))


def test_invokeai_is_read():
    found = of_invoke(loras=[{"model": {"name": "ink"}, "weight": 0.75}, {"lora": {"model_name": "oil"}, "weight": 1}])
    assert said(found) == (Status.ok, "InvokeAI", "a fox", "blurry", 42)
    assert (found.base, found.model, found.loras) == ("sdxl", "fox", (Lora("ink", 0.75), Lora("oil", 1.0)))
    assert found.is_trainable


@pytest.mark.parametrize(
    ("more", "mark"),
    [
        ({"generation_mode": "sdxl_img2img"}, Mark.img2img),
        ({"generation_mode": "sdxl_inpaint"}, Mark.inpainted),
        ({"positive_style_prompt": "ink"}, Mark.two_prompts),
        ({"refiner_model": {"model_name": "refiner"}}, Mark.refined),
        ({"controlnets": [{"weight": 1}]}, Mark.controlled),
        ({"hrf_enabled": True}, Mark.upscaled),
    ],
)
def test_what_invokeai_did_besides_is_marked(more, mark):
    found = of_invoke(**more)
    assert (found.status, found.marks) == (Status.ok, (mark,))


@pytest.mark.parametrize(
    ("model", "base"), [({"base": "sd-1"}, "sd1"), ({"base_model": "flux"}, "flux"), ({"base": "sd-3"}, "sd3")]
)
def test_invokeai_says_when_it_is_another_base(model, base):
    found = of_invoke(generation_mode="txt2img", model=model)
    assert (found.status, found.base) == (Status.not_sdxl, base)


def test_invokeai_without_a_prompt_is_unrecognised():
    assert of_invoke(positive_prompt=None).status is Status.unrecognised


@pytest.mark.parametrize(
    "chunk",
    [
        made.text(
            "sd-metadata",
            json.dumps(
                {
                    "model_weights": "stable-diffusion-1.5",
                    "app_id": "invoke-ai/InvokeAI",
                    "image": {
                        "prompt": [{"prompt": "a fox [blurry]", "weight": 1}],
                        "steps": 20,
                        "cfg_scale": 7.5,
                        "seed": 42,
                        "sampler": "k_lms",
                        **SIZE,
                    },
                }
            ),
        ),
        made.text("Dream", '"a fox [blurry]" -s 20 -S 42 -W 64 -H 64 -C 7.5 -A k_lms'),
        made.text("dream", "a fox [blurry] -s20 -S42 -W64 -H64 -C7.5 -A k_lms"),
    ],
)
def test_the_old_invokeai_knew_no_sdxl(chunk):
    found = read(chunk)
    assert said(found) == (Status.not_sdxl, "InvokeAI", "a fox", "blurry", 42)
    assert (found.steps, found.guidance_scale, found.sampler) == (20, 7.5, "k_lms")


def of_swarm(**more: Any) -> Found:
    plain = {
        "prompt": "a fox",
        "negativeprompt": "blurry",
        "seed": 42,
        "steps": 20,
        "cfgscale": 7.0,
        "model": "x/fox",
        **SIZE,
    }
    return read(made.text("parameters", json.dumps({"sui_image_params": plain | more}, indent=2)))


def test_swarmui_is_read():
    found = of_swarm(loras=["ink", "oil"], loraweights=["0.5", "1"], prompt="a fox <lora:wood:0.2>")
    assert said(found) == (Status.ok, "SwarmUI", "a fox", "blurry", 42)
    assert found.loras == (Lora("wood", 0.2), Lora("ink", 0.5), Lora("oil", 1.0))


@pytest.mark.parametrize(
    ("more", "mark"),
    [
        ({"initimage": "x", "initimagecreativity": 0.6}, Mark.img2img),
        ({"initimage": "x", "maskimage": "y"}, Mark.inpainted),
        ({"refinerupscale": 1.5}, Mark.upscaled),
        ({"refinermethod": "PostApply"}, Mark.refined),
        ({"prompt": "a fox <segment:face> smiling"}, Mark.regional),
    ],
)
def test_what_swarmui_did_besides_is_marked(more, mark):
    assert of_swarm(**more).marks == (mark,)


FOOOCUS = {
    "prompt": "a fox",
    "negative_prompt": "blurry",
    "prompt_expansion": "",
    "styles": "[]",
    "performance": "Speed",
    "resolution": "(64, 64)",
    "guidance_scale": 4,
    "sharpness": 2,
    "base_model": "juggernautXL_v8Rundiffusion",
    "seed": "42",
    "base_model_hash": "aeb7e9e689",
    "refiner_model": "None",
    "sampler": "dpmpp_2m_sde_gpu",
    "scheduler": "karras",
    "steps": 30,
    "loras": [["ink.safetensors", 0.1, "abc"]],
    "metadata_scheme": "fooocus",
    "version": "Fooocus v2.5.5",
}


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.png", made.png(made.text("fooocus_scheme", "fooocus"), made.text("parameters", json.dumps(FOOOCUS)))),
        (
            "a.jpg",
            made.jpeg(made.exif((0x9286, json.dumps(FOOOCUS).encode(), 2), (0x927C, b"fooocus\0", 2), in_sub=False)),
        ),
        ("a.webp", made.webp(made.comment(json.dumps(FOOOCUS), codec="utf-8", head=b"ASCII\0\0\0"))),
    ],
)
def test_fooocus_is_read(name, data):
    found = read_bytes(data, name)[0]
    assert said(found) == (Status.ok, "Fooocus", "a fox", "blurry", 42)
    assert (found.base, found.model, found.steps, found.loras) == (
        "sdxl",
        "juggernautXL_v8Rundiffusion",
        30,
        (Lora("ink", 0.1),),
    )
    assert found.is_trainable


@pytest.mark.parametrize(
    ("more", "mark"),
    [
        ({"styles": "['Fooocus V2', 'Fooocus Enhance']"}, Mark.styled),
        ({"performance": "Extreme Speed"}, Mark.distilled),
        ({"refiner_model": "sd_xl_refiner"}, Mark.refined),
    ],
)
def test_what_fooocus_did_besides_is_marked(more, mark):
    assert mark in read(made.text("parameters", json.dumps(FOOOCUS | more))).marks


def test_fooocus_as_a1111_writes_it_is_read():
    settings = "Steps: 30, Sampler: DPM++ 2M SDE, Seed: 42, Size: 64x64, Version: Fooocus v2.5.5"
    text = f"a fox\nNegative prompt: blurry\n{settings}"
    assert said(read(made.text("parameters", text))) == (Status.ok, "Fooocus", "a fox", "blurry", 42)
