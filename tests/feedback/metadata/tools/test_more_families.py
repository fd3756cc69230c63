"""More programs with their own formats."""

import html
import json
from typing import Any

import pytest

from feedback.metadata.found import Found, Lora, Mark, Status
from feedback.metadata.read import read_bytes
from tests.feedback.metadata import made

SIZE = {"width": 64, "height": 64}


def read(*chunks: bytes) -> Found:
    return read_bytes(made.png(*chunks), "a.png")[0]


def said(found: Found) -> tuple[Any, ...]:
    return found.status, found.tool, found.prompt, found.negative_prompt, found.seed


NOVELAI = {"prompt": "a fox", "steps": 28, "scale": 5.0, "uc": "blurry", "seed": 42, "sampler": "k_euler", **SIZE}


@pytest.mark.parametrize(
    ("source", "status"),
    [
        ("Stable Diffusion XL C1E1DE52", Status.ok),
        ("NovelAI Diffusion V4 37442FCA", Status.not_sdxl),
        ("Stable Diffusion F64BA557", Status.not_sdxl),
    ],
)
def test_novelai_is_read(source, status):
    texts = {"Title": "NovelAI generated image", "Description": "a fox", "Software": "NovelAI", "Source": source}
    named = texts | {"Comment": json.dumps(NOVELAI)}
    for found in (
        read(*(made.text(key, value) for key, value in named.items())),
        read_bytes(made.stealth(json.dumps(named), size=(160, 120)), "a.png")[0],
    ):
        assert said(found) == (status, "NovelAI", "a fox", "blurry", 42)


def test_the_old_novelai_keeps_the_prompt_in_its_description():
    comment = {key: value for key, value in NOVELAI.items() if key != "prompt"}
    found = read(
        made.text("Software", "NovelAI"), made.text("Description", "a fox"), made.text("Comment", json.dumps(comment))
    )
    assert said(found)[1:] == ("NovelAI", "a fox", "blurry", 42)


EASY = {
    "prompt": "a fox",
    "negative_prompt": "blurry",
    "seed": 42,
    "use_stable_diffusion_model": "models/fox.safetensors",
    "num_inference_steps": 25,
    "guidance_scale": 7.5,
    "sampler_name": "euler_a",
    "use_lora_model": "ink",
    "lora_alpha": 0.5,
    **SIZE,
}


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.png", made.png(*(made.text(key, str(value)) for key, value in EASY.items()))),
        ("a.jpg", made.jpeg(made.comment(json.dumps(EASY)))),
        (
            "a.png",
            made.png(
                made.text(
                    "parameters",
                    "\n".join(f"{key.replace('_', ' ').capitalize()}: {value}" for key, value in EASY.items()),
                )
            ),
        ),
    ],
)
def test_easy_diffusion_is_read(name, data):
    found = read_bytes(data, name)[0]
    assert said(found) == (Status.ok, "Easy Diffusion", "a fox", "blurry", 42)
    assert (found.model, found.steps, found.loras) == ("fox", 25, (Lora("ink", 0.5),))


@pytest.mark.parametrize(("strength", "marks"), [(1, ()), (0.6, (Mark.img2img,))])
def test_draw_things_is_read(strength, marks):
    own = {
        "c": "a fox",
        "uc": "blurry",
        "seed": 42,
        "model": "sd_xl_base_1.0_f16.ckpt",
        "sampler": "Euler a",
        "scale": 5,
        "steps": 20,
        "size": "64x64",
        "strength": strength,
        "lora": [{"model": "ink.ckpt", "weight": 0.5}],
    }
    xmp = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description xmlns:exif="http://ns.adobe.com/exif/1.0/" xmlns:xmp="http://ns.adobe.com/xap/1.0/"><xmp:CreatorTool>'
        'Draw Things</xmp:CreatorTool><exif:UserComment><rdf:Alt><rdf:li xml:lang="x-default">'
        f"{html.escape(json.dumps(own))}</rdf:li></rdf:Alt></exif:UserComment></rdf:Description></rdf:RDF></x:xmpmeta>"
    )
    found = read(made.international("XML:com.adobe.xmp", xmp))
    assert said(found) == (Status.ok, "Draw Things", "a fox", "blurry", 42)
    assert (found.base, found.loras, found.marks) == ("sdxl", (Lora("ink", 0.5),), marks)


@pytest.mark.parametrize(
    ("base", "status"), [("SDXL 1.0", Status.ok), ("Pony", Status.ok), ("FLUX.1", Status.not_sdxl)]
)
def test_tensorart_is_read(base, status):
    own = {
        "prompt": "a fox",
        "negativePrompt": "blurry",
        "seed": "42",
        "steps": 25,
        "cfgScale": 7,
        **SIZE,
        "baseModel": {"modelFileName": "fox", "baseModel": base, "hash": "A5F58EB1C3"},
    }
    found = read(made.text("generation_data", json.dumps(own) + "\0"))
    assert said(found) == (status, "TensorArt", "a fox", "blurry", 42)


@pytest.mark.parametrize(
    ("key", "own", "tool"),
    [
        (
            "parameters-json",
            {"PositivePrompt": "a fox", "NegativePrompt": "blurry", "Seed": 42, "ModelName": "fox"},
            "Stability Matrix",
        ),
        (
            "parameters",
            {
                "prompt": "a fox",
                "negative_prompt": "blurry",
                "seed": 42,
                "resolution": "64 x 64",
                "Model": {"Model": "fox", "Model hash": "45a21ea00a"},
            },
            "JSON",
        ),
        (
            "parameters",
            {
                "Prompt": "a fox",
                "Negative": "blurry",
                "seed": 42,
                "base_model_name": "fox.safetensors",
                "software": "RuinedFooocus",
            },
            "RuinedFooocus",
        ),
    ],
)
def test_json_with_the_usual_names_is_read(key, own, tool):
    found = read(made.text(key, json.dumps(own)))
    assert said(found) == (Status.ok, tool, "a fox", "blurry", 42)
    assert found.model == "fox"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("parameters", "{"),
        ("parameters", "[]"),
        ("parameters", '{"a": 1}'),
        ("sui_image_params", "3"),
        ("invokeai_metadata", "[1]"),
        ("generation_data", '{"prompt": {"a": 1}}'),
        ("Comment", '{"uc": 3, "scale": []}'),
        ("parameters", '{"sui_image_params": {"prompt": 3, "loras": 5}}'),
        ("sd-metadata", '{"image": {"prompt": 7}}'),
        ("parameters", '{"prompt": "x", "seed": {"a": 1}, "loras": [[[]], {}, null]}'),
        ("workflow", '{"nodes": 3}'),
        (
            "workflow",
            '{"nodes": [3, {"inputs": [1], "outputs": 2}], "links": [[], {}, 4], "definitions": {"subgraphs": [1]}}',
        ),
        ("prompt", '{"1": {"class_type": "KSampler", "inputs": {"seed": {}}}}'),
        ("Dream", "-S"),
        ("Dream", '"'),
    ],
)
def test_values_of_the_wrong_kind_raise_nothing(key, value):
    found = read(made.text(key, value))
    assert found.status in (Status.unrecognised, Status.empty, Status.partial, Status.not_sdxl)
    assert found.seed is None
