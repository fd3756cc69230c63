"""ComfyUI's graphs as they ran."""

import pytest

from feedback.metadata.found import Lora, Status
from tests.feedback.metadata.graphs import node, read_graph, sampler, simple


def test_a_plain_graph_is_read():
    found = read_graph(simple())
    assert (found.status, found.tool, found.prompt, found.negative_prompt) == (Status.ok, "ComfyUI", "a fox", "blurry")
    assert (found.seed, found.steps, found.guidance_scale, found.sampler) == (42, 20, 7.0, "euler karras")
    assert (found.model, found.why, found.marks) == ("fox", "", ())


@pytest.mark.parametrize(
    "other",
    {
        "a reroute": {
            "_3": node("Reroute", **{"": ["8", 0]}),
            "_8": node("CLIPTextEncode", text="a fox", clip=["1", 1]),
        },
        "a text node": {
            "_3": node("CLIPTextEncode", text=["8", 0], clip=["1", 1]),
            "_8": node("PrimitiveString", value="a fox"),
        },
        "joined texts": {
            "_3": node("CLIPTextEncode", text=["8", 0], clip=["1", 1]),
            "_8": node("StringConcatenate", string_a="a", string_b=["9", 0], delimiter=" "),
            "_9": node("String Literal", string="fox"),
        },
        "SDXL's encoder": {"_3": node("CLIPTextEncodeSDXL", text_g="a fox", text_l="a fox", clip=["1", 1], width=1024)},
        "one of SDXL's": {"_3": node("CLIPTextEncodeSDXL", text_g="a fox", text_l="", clip=["1", 1])},
        "a shown text": {
            "_3": node("CLIPTextEncode", text=["8", 0], clip=["1", 1]),
            "_8": node("ShowText|pysssss", text=["9", 0]),
            "_9": node("Text Multiline", text="a fox"),
        },
        "the same twice": {
            "_3": node("ConditioningCombine", conditioning_1=["8", 0], conditioning_2=["9", 0]),
            "_8": node("CLIPTextEncode", text="a fox", clip=["1", 1]),
            "_9": node("CLIPTextEncode", text="a fox", clip=["1", 1]),
        },
        "a filled wildcard": {
            "_3": node(
                "ImpactWildcardEncode",
                wildcard_text="a {fox|wolf}",
                populated_text="a fox",
                clip=["1", 1],
                model=["1", 0],
                seed=3,
            )
        },
        "a wildcard node without any": {
            "_3": node("CLIPTextEncode", text=["8", 0], clip=["1", 1]),
            "_8": node("DPRandomGenerator", text="a fox", seed=1),
        },
        "a styler without a style": {
            "_3": node("CLIPTextEncode", text=["8", 0], clip=["1", 1]),
            "_8": node("SDXLPromptStyler", text_positive="a fox", style="none"),
        },
        "a switch": {
            "_3": node("ImpactSwitch", select=2, input1=["4", 0], input2=["8", 0]),
            "_8": node("CLIPTextEncode", text="a fox", clip=["1", 1]),
        },
        "a custom encoder": {
            "_3": node(
                "smZ CLIPTextEncode", text="a fox", text_g="", text_l="", parser="A1111", with_SDXL=False, clip=["1", 1]
            )
        },
        "a seed node": {"_5": sampler(seed=["8", 0]), "_8": node("Seed (rgthree)", seed=42)},
        "a primitive seed": {"_5": sampler(seed=["8", 0]), "_8": node("PrimitiveInt", value=42)},
        "another saver": {"_7": node("Image Save", images=["6", 0], output_path="x", quality=100)},
        "a preview beside": {"_8": node("PreviewImage", images=["6", 0])},
        "only a preview": {"_7": node("PreviewImage", images=["6", 0])},
        "a numberless node": {"extra": {"airs": []}, "_9": {"inputs": {}}, "_10": "x"},
    }.items(),
    ids=lambda one: one[0],
)
def test_every_way_to_the_same_picture_is_walked(other):
    graph = simple(**{key: value for key, value in other[1].items() if key.startswith("_")})
    found = read_graph(graph | {key: value for key, value in other[1].items() if not key.startswith("_")})
    assert (found.status, found.prompt, found.negative_prompt, found.seed) == (Status.ok, "a fox", "blurry", 42)


def test_custom_samplers_are_walked():
    graph = simple(
        _5=node(
            "SamplerCustomAdvanced",
            noise=["8", 0],
            guider=["9", 0],
            sampler=["10", 0],
            sigmas=["11", 0],
            latent_image=["2", 0],
        ),
        _8=node("RandomNoise", noise_seed=42),
        _9=node("CFGGuider", model=["1", 0], positive=["3", 0], negative=["4", 0], cfg=5.5),
        _10=node("KSamplerSelect", sampler_name="dpmpp_2m"),
        _11=node("BasicScheduler", model=["1", 0], scheduler="karras", steps=30, denoise=1.0),
    )
    found = read_graph(graph)
    assert (found.status, found.prompt, found.negative_prompt, found.seed) == (Status.ok, "a fox", "blurry", 42)
    assert (found.steps, found.guidance_scale, found.sampler, found.model) == (30, 5.5, "dpmpp_2m karras", "fox")


def test_the_efficiency_loader_is_walked():
    graph = {
        "1": node(
            "Efficient Loader",
            ckpt_name="fox.safetensors",
            vae_name="Baked VAE",
            clip_skip=-2,
            lora_name="ink.safetensors",
            lora_model_strength=0.7,
            positive="a fox",
            negative="blurry",
            empty_latent_width=64,
            empty_latent_height=64,
            batch_size=1,
        ),
        "5": node(
            "KSampler (Efficient)",
            seed=42,
            steps=20,
            cfg=7,
            sampler_name="euler",
            scheduler="normal",
            denoise=1,
            model=["1", 0],
            positive=["1", 1],
            negative=["1", 2],
            latent_image=["1", 3],
            optional_vae=["1", 4],
        ),
        "7": node("SaveImage", images=["5", 5]),
    }
    found = read_graph(graph)
    assert (found.status, found.prompt, found.negative_prompt, found.seed) == (Status.ok, "a fox", "blurry", 42)
    assert (found.model, found.loras) == ("fox", (Lora("ink", 0.7),))


def test_pipes_are_walked():
    graph = simple(
        _8=node("ToBasicPipe", model=["1", 0], clip=["1", 1], vae=["1", 2], positive=["3", 0], negative=["4", 0]),
        _5=node("ImpactKSamplerBasicPipe", basic_pipe=["8", 0], seed=42, steps=20, cfg=7.0, latent_image=["2", 0]),
    )
    found = read_graph(graph)
    assert (found.status, found.prompt, found.negative_prompt, found.model) == (Status.ok, "a fox", "blurry", "fox")


def test_lora_stacks_are_read():
    graph = simple(
        _5=sampler(model=["11", 0]),
        _8=node(
            "LoraLoader",
            lora_name="ink.safetensors",
            strength_model=0.8,
            strength_clip=1,
            model=["1", 0],
            clip=["1", 1],
        ),
        _9=node(
            "Power Lora Loader (rgthree)",
            model=["8", 0],
            lora_1={"on": True, "lora": "b\\oil.safetensors", "strength": 0.5},
            lora_2={"on": False, "lora": "off.safetensors", "strength": 1},
        ),
        _10=node(
            "CR LoRA Stack",
            switch_1="On",
            lora_name_1="wood.safetensors",
            model_weight_1=0.3,
            switch_2="Off",
            lora_name_2="no.safetensors",
        ),
        _11=node("CR Apply LoRA Stack", model=["9", 0], clip=["1", 1], lora_stack=["10", 0]),
    )
    assert set(read_graph(graph).loras) == {Lora("ink", 0.8), Lora("oil", 0.5), Lora("wood", 0.3)}


@pytest.mark.parametrize(
    "graph",
    [
        simple(_3=node("Reroute", **{"": ["3", 0]})),
        simple(_5=sampler(latent_image=["5", 0])),
        simple(_3=node("ConditioningCombine", conditioning_1=["3", 0], conditioning_2=["3", 0])),
        {"7": node("SaveImage", images=["7", 0])},
        {
            str(key): node("KSampler", seed=1, positive=[str(key + 1), 0], latent_image=[str(key + 1), 0])
            for key in range(3000)
        },
        {
            str(key): node("ConditioningCombine", conditioning_1=[str(key + 1), 0], conditioning_2=[str(key + 2), 0])
            for key in range(500)
        },
        {},
        [],
        3,
        {"1": 2},
        {"1": {"class_type": 3, "inputs": []}},
        {"1": {"class_type": "SaveImage", "inputs": {"images": ["1"]}}},
    ],
)
def test_graphs_that_lead_nowhere_end(graph):
    assert read_graph(graph).status in (Status.unrecognised, Status.partial, Status.ok)
