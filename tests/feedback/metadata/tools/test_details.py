"""Details of programs' formats that change what a picture is: its base, its LoRAs, what had a part in it."""

import json
from typing import Any

import pytest

from feedback.metadata.found import Found, Lora, Mark, Status
from feedback.metadata.read import read_bytes
from tests.feedback.metadata import made

SIZE = {"width": 64, "height": 64}
LAST = "Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 42, Size: 64x64, Model hash: 45a21ea00a, Model: fox"


def read(*chunks: bytes, size: tuple[int, int] = (64, 64)) -> Found:
    return read_bytes(made.png(*chunks, size=size), "a.png")[0]


def of_text(text: str) -> Found:
    return read(made.international("parameters", text))


def of_json(key: str, value: Any) -> Found:
    return read(made.international(key, json.dumps(value)))


def test_lines_after_the_settings_belong_to_no_value():
    found = of_text(f"a fox\nNegative prompt: b\n{LAST}\nTemplate: a {{fox|wolf}}\nNegative Template: x")
    assert (found.prompt, found.negative_prompt, found.model, found.seed) == ("a fox", "b", "fox", 42)


FOOOCUS = (
    "a fox, cinematic\nNegative prompt: b\nSteps: 30, Sampler: DPM++ 2M SDE Karras, Seed: 42, Size: 64x64, "
    'CFG scale: 4, Model: juggernautXL, Performance: {}, Raw prompt: a fox, Styles: "{}", '
    'Lora hashes: "ink: abc", Lora weights: "ink: 0.1", Version: Fooocus v2.5.5'
)


@pytest.mark.parametrize(
    ("performance", "styles", "marks"),
    [
        ("Speed", "[]", ()),
        ("Speed", "['Fooocus V2']", (Mark.styled,)),
        ("Lightning", "[]", (Mark.distilled,)),
    ],
)
def test_fooocus_under_a1111s_scheme_is_an_sdxl_with_its_styles(performance, styles, marks):
    found = of_text(FOOOCUS.format(performance, styles))
    assert (found.tool, found.prompt, found.base, found.loras) == (
        "Fooocus",
        "a fox, cinematic",
        "sdxl",
        (Lora("ink", 0.1),),
    )
    assert found.marks == marks


def of_civitai(**about: str) -> Found:
    resources = [
        {"type": "checkpoint", "modelVersionId": 1, "modelName": "Fox Mix", "modelVersionName": "V6"},
        {"type": "lora", "weight": 0.7, "modelVersionId": 2, "modelName": "Ink", "modelVersionName": "v1"},
    ]
    return of_text(
        "a fox\nNegative prompt: b\nSteps: 25, Sampler: Euler a, CFG scale: 5, Seed: 42, Size: 64x64, Clip skip: 2, "
        f"Created Date: 2026-02-25T22:09:08.8166925Z, Civitai resources: {json.dumps(resources)}, "
        f"Civitai metadata: {json.dumps(about)}"
    )


@pytest.mark.parametrize(
    ("about", "base", "status"),
    [
        ({}, "unknown", Status.ok),
        ({"ecosystem": "Illustrious"}, "sdxl", Status.ok),
        ({"ecosystem": "Pony"}, "sdxl", Status.ok),
        ({"ecosystem": "Flux1"}, "flux", Status.not_sdxl),
        ({"ecosystem": "ZImageTurbo"}, "zimageturbo", Status.not_sdxl),
    ],
)
def test_civitai_says_the_base_and_the_loras(about, base, status):
    found = of_civitai(**about)
    assert (found.tool, found.status, found.base) == ("Civitai", status, base)
    assert (found.model, found.loras) == ("Fox Mix", (Lora("Ink", 0.7),))


@pytest.mark.parametrize(
    ("workflow", "marks"),
    [("txt2img", ()), ("img2img", (Mark.img2img,)), ("txt2img-hires", (Mark.upscaled,))],
)
def test_civitai_says_how_it_was_drawn(workflow, marks):
    assert of_civitai(workflow=workflow).marks == marks


def test_stability_matrix_is_called_by_its_name():
    own = {"PositivePrompt": "a fox", "Seed": 42, "ModelName": "fox"}
    found = read(made.text("parameters", f"a fox\n{LAST}"), made.text("parameters-json", json.dumps(own)))
    assert (found.tool, found.prompt, found.seed) == ("Stability Matrix", "a fox", 42)


@pytest.mark.parametrize(
    ("mode", "base"),
    [("img2img", "unknown"), ("txt2img", "unknown"), ("sdxl_txt2img", "sdxl"), ("flux_txt2img", "flux")],
)
def test_invokeais_mode_says_the_base_only_where_it_names_one(mode, base):
    found = of_json("invokeai_metadata", {"generation_mode": mode, "positive_prompt": "a fox", "seed": 42, **SIZE})
    assert found.base == base


def test_invokeais_other_negative_prompt_is_marked():
    own = {"generation_mode": "sdxl_txt2img", "positive_prompt": "a fox", "negative_prompt": "b", "seed": 42, **SIZE}
    assert of_json("invokeai_metadata", own | {"negative_style_prompt": "b"}).marks == ()
    assert of_json("invokeai_metadata", own | {"negative_style_prompt": "ink"}).marks == (Mark.two_prompts,)


@pytest.mark.parametrize(
    ("weights", "base"), [("stable-diffusion-1.5", "sd1"), ("stable-diffusion-2.1-768", "sd2"), ("anything-4.0", "sd1")]
)
def test_the_old_invokeai_says_what_came_after(weights, base):
    image = {"prompt": [{"prompt": "a fox", "weight": 1}], "seed": 42, "type": "txt2img", **SIZE}
    later = {"postprocessing": [{"type": "esrgan", "scale": 2}]}
    own = {"model_weights": weights, "app_id": "invoke-ai/InvokeAI", "image": image | later}
    found = read(made.text("sd-metadata", json.dumps(own)), size=(128, 128))
    assert (found.status, found.base, found.marks) == (Status.not_sdxl, base, (Mark.upscaled,))


def test_an_invokeai_graph_without_its_metadata_is_not_called_empty():
    assert of_json("invokeai_graph", {"nodes": {}}).status is Status.unrecognised


EASY = {
    "prompt": "a fox",
    "negative_prompt": "b",
    "seed": 42,
    "use_stable_diffusion_model": "fox",
    "num_inference_steps": 20,
    **SIZE,
}


@pytest.mark.parametrize(
    ("names", "strengths"),
    [("['ink', 'oil']", "[0.5, 1]"), ('["ink", "oil"]', "[0.5, 1.0]"), (["ink", "oil"], [0.5, 1])],
)
def test_easy_diffusions_lists_of_loras_are_read(names, strengths):
    more = {"use_lora_model": names, "lora_alpha": strengths}
    assert of_json("parameters", EASY | more).loras == (Lora("ink", 0.5), Lora("oil", 1.0))


@pytest.mark.parametrize("key", ["init_image", "use_controlnet_model", "use_upscale", "use_face_correction"])
@pytest.mark.parametrize("value", ["None", "", "null"])
def test_what_easy_diffusion_names_and_did_not_use_is_no_mark(key, value):
    chunks = [made.text(name, str(one)) for name, one in (EASY | {key: value}).items()]
    assert read(*chunks).marks == ()


@pytest.mark.parametrize(
    ("more", "mark"),
    [
        ({"hiresFix": True}, Mark.upscaled),
        ({"refinerModel": "sd_xl_refiner_1.0_f16.ckpt"}, Mark.refined),
        ({"separateClipL": True, "clipLText": "ink"}, Mark.two_prompts),
    ],
)
def test_draw_things_newer_settings_are_marked(more, mark):
    own = {"c": "a fox", "uc": "b", "seed": 42, "model": "fox.ckpt", "sampler": "Euler a", "steps": 20, "strength": 1}
    assert of_json("comment", own | {"v2": {"hiresFix": False, "refinerModel": ""}}).marks == ()
    assert of_json("comment", own | {"v2": more}).marks == (mark,)


@pytest.mark.parametrize(("negative", "text"), [("blurry", "&#xA;-blurry"), ("", ""), ("- x, y", "&#xA;-- x, y")])
def test_draw_things_description_is_read_where_the_comment_is_gone(negative, text):
    xmp = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmp="http://ns.adobe.com/xap/1.0/">'
        '<xmp:CreatorTool>Draw Things</xmp:CreatorTool><dc:description><rdf:Alt><rdf:li xml:lang="x-default">'
        f"a fox{text}&#xA;Steps: 20, Sampler: Euler a, Guidance Scale: 5.0, Seed: 42, Size: 64x64, Model: fox.ckpt, "
        "Strength: 1.0, Seed Mode: Scale Alike</rdf:li></rdf:Alt></dc:description></rdf:Description></rdf:RDF>"
        "</x:xmpmeta>"
    )
    found = read(made.international("XML:com.adobe.xmp", xmp))
    assert (found.tool, found.prompt, found.negative_prompt, found.seed) == ("Draw Things", "a fox", negative, 42)
    assert (found.steps, found.guidance_scale, found.model, found.marks) == (20, 5.0, "fox", ())


def test_swarmuis_loras_as_one_text_are_several():
    own = {"prompt": "a fox", "seed": 42, "model": "fox", "loras": "ink,oil", "loraweights": "0.5,1", **SIZE}
    assert of_json("sui_image_params", own).loras == (Lora("ink", 0.5), Lora("oil", 1.0))
