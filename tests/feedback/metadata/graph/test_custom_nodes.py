"""Nodes of other packs, each as its own code treats what it is given: a value is right, or it is absent."""

from typing import Any

import pytest

from feedback.metadata.found import Lora, Mark, Status
from tests.feedback.metadata.graphs import Graph, node, read_graph, sampler, simple


def fed(maker: dict[str, Any], slot: int = 0, **more: dict[str, Any]) -> Graph:
    """The plain graph, its prompt from the node 8."""
    return simple(_3=node("CLIPTextEncode", text=["8", slot], clip=["1", 1]), _8=maker, **more)


def literal(text: str) -> dict[str, Any]:
    return node("String Literal", string=text)


@pytest.mark.parametrize(
    ("maker", "prompt"),
    [
        (node("Text Concatenate (JPS)", delimiter="space", text1="a", text2="fox"), "a fox"),
        (node("Text Concatenate (JPS)", delimiter="none", text1="a ", text2="fox"), "a fox"),
        (node("StringConcatenate", string_a="a fox", string_b="", delimiter=", "), "a fox,"),
        (node("Text Concatenate", delimiter=", ", text_a="a fox", text_b="", text_c="red"), "a fox, red"),
        (node("Text Concatenate", delimiter=" ", clean_whitespace="true", text_a=" a ", text_b="fox\n"), "a fox"),
        (node("Text Concatenate", delimiter=["9", 0], text_a="a", text_b="fox"), "a|fox"),
        (node("StringFunction|pysssss", action="append", tidy_tags="yes", text_a="a,", text_b="fox"), "a, fox"),
        (node("StringFunction|pysssss", action="append", tidy_tags="no", text_a="a ", text_b="fox"), "a fox"),
        (node("ImpactWildcardProcessor", wildcard_text="__x__", populated_text="a fox", seed=3), "a fox"),
    ],
    ids=str,
)
def test_texts_are_joined_as_the_node_joins_them(maker, prompt):
    found = read_graph(fed(maker, _9=literal("|")))
    assert (found.status, found.prompt) == (Status.ok, prompt)


@pytest.mark.parametrize(
    "maker",
    [
        node("Text Parse A1111 Embeddings", text="a fox badhand"),
        node("String to Lowercase", text="A FOX"),
        node("StringFormat", text="a {0}", a="fox"),
        node("easy stylesSelector", styles="x", positive=["9", 0], negative="", select_styles="Masterpiece"),
        node("MyTextJoiner", text_a="a", text_b="fox"),
        node("StringSubstring", string="a fox", start=0, end=1),
        node("PromptBuilder", prompt="a fox", mood="dark"),
        node("Text (weighted)", text="a fox", weight=1.3, text_in_opt=["9", 0]),
        node("QwenVL_Caption", image=["2", 0], text="describe"),
        node("Prompt of another maker", prompt="describe a fox", max_tokens=200),
    ],
    ids=lambda one: one["class_type"],
)
def test_a_text_that_a_node_changes_in_a_way_that_is_not_known_is_absent(maker):
    found = read_graph(fed(maker, _9=literal("a fox")))
    assert (found.status, found.prompt, found.base) == (Status.unrecognised, None, "unknown")


def test_a_nodes_second_text_is_not_its_first():
    found = read_graph(fed(node("Text String", text="a wolf", text_b="a fox", text_c="", text_d=""), slot=1))
    assert found.prompt == "a fox"


def test_a_node_with_a_model_before_its_two_conditionings_does_not_swap_the_halves():
    identity = node("ApplyInstantID", image=["9", 0], model=["1", 0], positive=["3", 0], negative=["4", 0])
    steered = sampler(model=["8", 0], positive=["8", 1], negative=["8", 2])
    found = read_graph(simple(_5=steered, _8=identity))
    assert (found.prompt, found.negative_prompt, found.marks) == ("a fox", "blurry", (Mark.controlled,))


@pytest.mark.parametrize(("is_sdxl", "prompt"), [(False, "a fox"), (True, "a wolf")])
def test_an_encoder_that_can_do_both_says_which_text_it_used(is_sdxl, prompt):
    encoder = node(
        "smZ CLIPTextEncode", text="a fox", text_g="a wolf", text_l="a wolf", with_SDXL=is_sdxl, clip=["1", 1]
    )
    assert read_graph(simple(_3=encoder)).prompt == prompt


@pytest.mark.parametrize("half", ["_3", "_4"])
@pytest.mark.parametrize("texts", [{"text_g": "a fox", "text_l": "ink"}, {"text_g": "", "text_l": "a fox"}])
def test_encoders_that_read_different_texts_are_marked(half, texts):
    found = read_graph(simple(**{half: node("CLIPTextEncodeSDXL", clip=["1", 1], **texts)}))
    assert (found.status, found.marks) == (Status.ok, (Mark.two_prompts,))


def test_conditionings_are_joined_as_the_node_says():
    joined = node("ConditioningMultiCombine", operation="concat", conditioning_1=["3", 0], conditioning_2=["8", 0])
    more = {"_8": node("CLIPTextEncode", text="in snow", clip=["1", 1]), "_9": joined}
    found = read_graph(simple(_5=sampler(positive=["9", 0]), **more))
    assert (found.prompt, found.marks) == ("a fox BREAK in snow", ())


EASY = node(
    "easy a1111Loader",
    ckpt_name="fox.safetensors",
    lora_name="None",
    resolution="64 x 64",
    empty_latent_width=512,
    empty_latent_height=512,
    positive="a fox",
    negative="blurry",
    batch_size=1,
)
SETTINGS: dict[str, Any] = {"seed": 42, "steps": 20, "cfg": 7, "sampler_name": "euler", "scheduler": "normal"}


@pytest.mark.parametrize(
    "graph",
    [
        {
            "1": EASY,
            "2": node("easy preSampling", pipe=["1", 0], **SETTINGS),
            "5": node("easy kSampler", pipe=["2", 0], image_output="Save"),
        },
        {
            "1": EASY,
            "2": node("easy preSampling", pipe=["1", 0], **SETTINGS),
            "5": node("easy kSampler", pipe=["2", 0], image_output="Hide"),
            "7": node("SaveImage", images=["5", 1]),
        },
        {"1": EASY, "5": node("easy fullkSampler", pipe=["1", 0], image_output="Save", **SETTINGS)},
        {
            "1": node("ttN pipeLoader_v2", ckpt_name="fox.safetensors", positive="a fox", negative="blurry", seed=1),
            "5": node("ttN pipeKSampler_v2", pipe=["1", 0], image_output="Save", upscale_method="None", **SETTINGS),
        },
    ],
)
def test_pipes_that_draw_and_save_by_themselves_are_walked(graph):
    found = read_graph(graph)
    assert (found.status, found.prompt, found.negative_prompt, found.seed) == (Status.ok, "a fox", "blurry", 42)
    assert (found.model, found.steps, found.sampler, found.marks) == ("fox", 20, "euler normal", ())


def efficient(script: dict[str, Any]) -> Graph:
    loader = node("Efficient Loader", ckpt_name="fox", positive="a fox", negative="blurry", batch_size=1)
    links = {"model": ["1", 0], "positive": ["1", 1], "negative": ["1", 2], "latent_image": ["1", 3]}
    drawn = node("KSampler (Efficient)", script=["9", 0], **SETTINGS, **links)
    return {"1": loader, "5": drawn, "7": node("SaveImage", images=["5", 5]), "9": script}


def test_a_script_beside_the_sampler_counts():
    upscaled = read_graph(efficient(node("HighRes-Fix Script", upscale_by=1.25, seed=1)))
    assert (upscaled.status, upscaled.seed, upscaled.marks) == (Status.ok, 42, (Mark.upscaled,))
    assert read_graph(efficient(node("XY Plot", ksampler_output_image="Plot"))).status is Status.grid
    one_of_them = read_graph(efficient(node("XY Plot", ksampler_output_image="Images")))
    assert (one_of_them.status, one_of_them.prompt, one_of_them.seed) == (Status.unrecognised, None, None)


def test_the_efficient_loader_for_sdxl_tells_its_base_and_refiner():
    loader = node(
        "Eff. Loader SDXL", base_ckpt_name="fox", refiner_ckpt_name="r.safetensors", positive="a fox", negative=""
    )
    drawn = node("KSampler SDXL (Eff.)", sdxl_tuple=["1", 0], latent_image=["1", 1], noise_seed=42, steps=20, cfg=7)
    found = read_graph({"1": loader, "5": drawn, "7": node("SaveImage", images=["5", 3])})
    assert (found.status, found.prompt, found.seed, found.base) == (Status.ok, "a fox", 42, "sdxl")
    assert found.marks == (Mark.refined,)


@pytest.mark.parametrize(
    ("stack", "loras"),
    [
        (node("LoRA Stacker", input_mode="simple", lora_count=1, lora_name_1="ink", lora_wt_1=0.5, model_str_1=1,
              lora_name_2="no", lora_wt_2=1), {Lora("ink", 0.5)}),
        (node("LoRA Stacker", input_mode="advanced", lora_count=1, lora_name_1="ink", lora_wt_1=1, model_str_1=0.5),
         {Lora("ink", 0.5)}),
        (node("easy loraStack", toggle=True, mode="simple", num_loras=1, lora_1_name="ink", lora_1_strength=0.5,
              lora_1_model_strength=1, lora_2_name="no", lora_2_strength=1), {Lora("ink", 0.5)}),
        (node("easy loraStack", toggle=False, mode="simple", num_loras=1, lora_1_name="ink", lora_1_strength=1), set()),
        (node("Lora Stacker (LoraManager)", text="<lora:ink:1>", loras={"__value__": [
            {"name": "ink", "strength": 0.5, "active": True}, {"name": "no", "strength": 1, "active": False}]}),
         {Lora("ink", 0.5)}),
        (node("LoRA Text Loader (LoraManager)", lora_syntax="<lora:ink:0.5>"), {Lora("ink", 0.5)}),
        (node("LoraLoader|pysssss", lora_name={"content": "ink.safetensors"}, strength_model=0.5), {Lora("ink", 0.5)}),
    ],
    ids=lambda one: str(one)[:60],
)  # fmt: skip
def test_a_stack_of_loras_is_read_as_it_was_applied(stack, loras):
    applied = node("CR Apply LoRA Stack", model=["1", 0], clip=["1", 1], lora_stack=["8", 0])
    assert set(read_graph(simple(_5=sampler(model=["9", 0]), _8=stack, _9=applied)).loras) == loras


def test_a_checkpoints_name_behind_a_link_is_found():
    graph = simple(
        _1=node("CheckpointLoaderSimple", ckpt_name=["8", 0]),
        _8=node("Checkpoint Selector", ckpt_name="fox.safetensors"),
    )
    assert read_graph(graph).model == "fox"


@pytest.mark.parametrize(
    "latent",
    [
        {"_2": node("CR SDXL Aspect Ratio", width=512, height=512, aspect_ratio="1:1 square 64x64", batch_size=1)},
        {
            "_2": node("EmptyLatentImage", width=["8", 0], height=["8", 1], batch_size=1),
            "_8": node("CR Aspect Ratio", width=512, height=512, aspect_ratio="SDXL - 1:1 square 64x64"),
        },
        {"_2": node("SDXLEmptyLatentSizePicker+", resolution="64x64 (1.0)", width_override=0, batch_size=1)},
        {"_2": node("Empty Latent by Ratio (WLSH)", ratio="1:1", shortside=512, width=32, height=32, batch_size=1)},
    ],
)
def test_a_preset_of_a_size_counts_more_than_the_numbers_beside_it(latent):
    found = read_graph(simple(**latent))
    assert (found.status, found.marks) == (Status.ok, ())


def test_a_custom_size_is_that_of_the_numbers():
    found = read_graph(simple(_2=node("CR Aspect Ratio", width=48, height=48, aspect_ratio="custom", batch_size=1)))
    assert found.marks == (Mark.upscaled,)


def test_a_larger_picture_behind_a_node_that_is_not_known_is_upscaled_and_no_grid():
    latent = {"_2": node("EmptyLatentImage", width=32, height=32, batch_size=1)}
    found = read_graph(simple(_7=node("SaveImage", images=["8", 0]), _8=node("Bigger", image=["6", 0]), **latent))
    assert (found.status, found.marks) == (Status.ok, (Mark.upscaled,))


def test_a_repeated_latent_is_a_batch():
    repeated = {"_5": sampler(latent_image=["8", 0]), "_8": node("RepeatLatentBatch", samples=["2", 0], amount=4)}
    found = read_graph(simple(**repeated))
    assert (found.status, found.prompt, found.seed) == (Status.partial, "a fox", None)


def test_a_node_that_makes_a_detailers_pipe_is_no_sampler():
    pipe = node("ToDetailerPipe", model=["1", 0], clip=["1", 1], positive=["3", 0], negative=["4", 0], wildcard="")
    detailer = node("FaceDetailerPipe", image=["6", 0], detailer_pipe=["9", 0], seed=1, steps=20, cfg=7)
    found = read_graph(simple(_7=node("SaveImage", images=["8", 0]), _8=detailer, _9=pipe))
    assert (found.status, found.seed, found.marks) == (Status.ok, 42, (Mark.inpainted,))


@pytest.mark.parametrize(
    ("other", "base"),
    [
        ({"_1": node("CheckpointLoaderSimple", ckpt_name="sd_xl_base_1.0.safetensors")}, "sdxl"),
        (
            {"_8": node("DualCLIPLoader", type="flux"), "_3": node("CLIPTextEncode", text="a fox", clip=["8", 0])},
            "flux",
        ),
    ],
)
def test_a_latent_that_many_models_share_says_less_than_the_model(other, base):
    latent = node("EmptySD3LatentImage", width=64, height=64, batch_size=1)
    assert read_graph(simple(_2=latent, **other)).base == base


@pytest.mark.parametrize("kind", ["ChromaticAberration", "FluxResolutionNode"])
def test_a_nodes_name_that_only_sounds_like_another_base_is_none(kind):
    found = read_graph(simple(_7=node("SaveImage", images=["8", 0]), _8=node(kind, image=["6", 0])))
    assert (found.status, found.base) == (Status.ok, "unknown")


def test_what_only_the_models_way_shows_is_marked():
    couple = {"_5": sampler(model=["8", 0]), "_8": node("Attention couple", model=["1", 0], positive=["3", 0])}
    assert read_graph(simple(**couple)).marks == (Mark.regional,)
    turbo = node(
        "SamplerCustom", noise_seed=42, positive=["3", 0], negative=["4", 0], sigmas=["9", 0], latent_image=["2", 0]
    )
    found = read_graph(simple(_5=turbo, _9=node("SDTurboScheduler", model=["1", 0], steps=1)))
    assert (found.prompt, found.seed, found.marks) == ("a fox", 42, (Mark.distilled,))
