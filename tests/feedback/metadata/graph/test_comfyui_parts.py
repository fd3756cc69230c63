"""ComfyUI's graphs in which more than one thing had a part: what is marked, and what is not guessed."""

import json

import pytest

from feedback.metadata.found import Mark, Status
from feedback.metadata.read import read_bytes
from tests.feedback.metadata import made
from tests.feedback.metadata.graphs import node, read_graph, sampler, simple


def test_two_passes_over_one_prompt_are_one_upscaled_picture():
    graph = simple(
        _8=node("LatentUpscaleBy", samples=["5", 0], scale_by=2, upscale_method="nearest-exact"),
        _9=sampler(seed=7, denoise=0.5, latent_image=["8", 0]),
        _6=node("VAEDecode", samples=["9", 0], vae=["1", 2]),
    )
    found = read_graph(graph, (128, 128))
    assert (found.status, found.prompt, found.seed, found.marks) == (Status.ok, "a fox", 42, (Mark.upscaled,))


def test_the_saver_of_the_pixels_size_counts():
    other = simple(
        _8=node("LatentUpscaleBy", samples=["5", 0], scale_by=2, upscale_method="nearest-exact"),
        _9=sampler(seed=7, denoise=0.5, latent_image=["8", 0]),
        _10=node("VAEDecode", samples=["9", 0], vae=["1", 2]),
        _11=node("SaveImage", images=["10", 0]),
    )
    assert read_graph(other, (64, 64)).marks == ()
    assert read_graph(other, (128, 128)).marks == (Mark.upscaled,)


def test_two_different_prompts_are_not_chosen_between():
    graph = simple(
        _8=node("CLIPTextEncode", text="a wolf", clip=["1", 1]),
        _9=sampler(seed=7, denoise=0.5, latent_image=["5", 0], positive=["8", 0]),
        _6=node("VAEDecode", samples=["9", 0], vae=["1", 2]),
    )
    found = read_graph(graph)
    assert (found.status, found.prompt) == (Status.unrecognised, None)
    assert "2 different prompts" in found.why


def test_two_prompts_of_the_two_encoders_are_both_told():
    graph = simple(_3=node("CLIPTextEncodeSDXL", text_g="a fox", text_l="ink, paper", clip=["1", 1]))
    found = read_graph(graph)
    assert (found.status, found.prompt, found.prompt_2, found.base) == (Status.ok, "a fox", "ink, paper", "sdxl")
    assert found.marks == (Mark.two_prompts,)


def test_prompts_one_after_the_other_and_together_are_told_apart():
    two = {
        "_8": node("CLIPTextEncode", text="a fox", clip=["1", 1]),
        "_9": node("CLIPTextEncode", text="in snow", clip=["1", 1]),
    }
    concat = read_graph(
        simple(_3=node("ConditioningConcat", conditioning_to=["8", 0], conditioning_from=["9", 0]), **two)
    )
    assert (concat.prompt, concat.marks) == ("a fox BREAK in snow", ())
    combined = read_graph(
        simple(_3=node("ConditioningCombine", conditioning_1=["8", 0], conditioning_2=["9", 0]), **two)
    )
    assert (combined.prompt, combined.marks) == ("a fox AND in snow", (Mark.regional,))


@pytest.mark.parametrize(
    ("other", "mark"),
    [
        (
            {"_2": node("VAEEncode", pixels=["8", 0], vae=["1", 2]), "_8": node("LoadImage", image="x.png")},
            Mark.img2img,
        ),
        (
            {
                "_2": node("VAEEncodeForInpaint", pixels=["8", 0], mask=["8", 1], vae=["1", 2]),
                "_8": node("LoadImage", image="x"),
            },
            Mark.inpainted,
        ),
        (
            {
                "_7": node("SaveImage", images=["8", 0]),
                "_8": node("ImageUpscaleWithModel", image=["6", 0], upscale_model=["9", 0]),
            },
            Mark.upscaled,
        ),
        (
            {
                "_7": node("SaveImage", images=["8", 0]),
                "_8": node(
                    "FaceDetailer",
                    image=["6", 0],
                    model=["1", 0],
                    clip=["1", 1],
                    vae=["1", 2],
                    positive=["3", 0],
                    negative=["4", 0],
                    seed=3,
                ),
            },
            Mark.inpainted,
        ),
        (
            {"_5": sampler(model=["8", 0]), "_8": node("IPAdapterAdvanced", model=["1", 0], image=["9", 0])},
            Mark.controlled,
        ),
        (
            {
                "_5": sampler(positive=["8", 0], negative=["8", 1]),
                "_8": node("ControlNetApplyAdvanced", positive=["3", 0], negative=["4", 0], strength=1, image=["9", 0]),
            },
            Mark.controlled,
        ),
        (
            {"_5": sampler(positive=["8", 0]), "_8": node("ConditioningSetArea", conditioning=["3", 0], width=32)},
            Mark.regional,
        ),
        ({"_1": node("CheckpointLoaderSimple", ckpt_name="sdxl_lightning_4step.safetensors")}, Mark.distilled),
    ],
)
def test_what_had_another_part_in_it_is_marked(other, mark):
    found = read_graph(simple(**other))
    assert (found.status, found.prompt, found.negative_prompt) == (Status.ok, "a fox", "blurry")
    assert mark in found.marks


@pytest.mark.parametrize(
    "maker",
    [
        node("OllamaGenerate", prompt="write a prompt", model="x"),
        node("DPRandomGenerator", text="a {fox|wolf} in __place__", seed=1),
        node("Florence2Run", image=["2", 0], text_input=""),
        node("SDXLPromptStyler", text_positive="a fox", text_negative="", style="cinematic"),
        node("SomethingUnheardOf", foo="a fox", bar=3),
        node("Load Text File", file_path="x.txt"),
        node("Text Find and Replace", text=["3", 0], find="a", replace="b"),
    ],
    ids=lambda one: one["class_type"],
)
def test_a_prompt_that_a_node_makes_is_not_guessed(maker):
    found = read_graph(simple(_3=node("CLIPTextEncode", text=["8", 0], clip=["1", 1]), _8=maker))
    assert (found.status, found.prompt) == (Status.unrecognised, None)
    assert found.why
    assert found.raw


def test_a_picture_of_a_batch_has_no_seed_of_its_own():
    found = read_graph(simple(_2=node("EmptyLatentImage", width=64, height=64, batch_size=4)))
    assert (found.status, found.prompt, found.seed) == (Status.partial, "a fox", None)
    assert "4 pictures" in found.why


@pytest.mark.parametrize("seed", [["99", 0], ["8", 0], -1, "x", None, 2**70])
def test_a_seed_that_is_not_in_the_graph_is_unknown(seed):
    found = read_graph(simple(_5=sampler(seed=seed), _8=node("MathExpression", expression="a+1", a=41)))
    assert (found.status, found.seed) == (Status.partial, None)


def test_the_largest_seed_is_exact():
    assert read_graph(simple(_5=sampler(seed=2**64 - 1))).seed == 2**64 - 1


@pytest.mark.parametrize(
    ("other", "base"),
    [
        ({"_2": node("EmptySD3LatentImage", width=64, height=64, batch_size=1)}, "other"),
        ({"_5": sampler(positive=["8", 0]), "_8": node("FluxGuidance", conditioning=["3", 0], guidance=3.5)}, "flux"),
        (
            {
                "_3": node("CLIPTextEncode", text="a fox", clip=["8", 0]),
                "_8": node("CLIPLoader", clip_name="x", type="qwen_image"),
            },
            "qwenimage",
        ),
        ({"_1": node("CheckpointLoaderSimple", ckpt_name="urn:air:sd1:checkpoint:civitai:4384@128713")}, "sd1"),
    ],
)
def test_nodes_of_another_base_are_known(other, base):
    found = read_graph(simple(**other))
    assert (found.status, found.base) == (Status.not_sdxl, base)


def test_a_grid_made_in_the_graph_is_known():
    graph = simple(_7=node("SaveImage", images=["8", 0]), _8=node("Image Grid", images=["6", 0], columns=2))
    assert read_graph(graph).status is Status.grid


def test_nan_trailing_zeros_and_raw_line_breaks_are_read():
    text = json.dumps(simple(_9=node("X", is_changed=float("nan"), text="1"))).replace("a fox", "a\tfox")
    data = made.png(made.text("prompt", text + "\0\0"))
    assert read_bytes(data, "a.png")[0].prompt == "a\tfox"


@pytest.mark.parametrize("tag", [0x010F, 0x0110, 0x010E])
@pytest.mark.parametrize("label", ["prompt:", "Prompt: "])
def test_a_graph_in_any_tag_of_exif_is_read(tag, label):
    block = made.exif((tag, (label + json.dumps(simple())).encode() + b"\0", 2), in_sub=False)
    for name, data in (("a.webp", made.webp(block)), ("a.jpg", made.jpeg(block))):
        assert read_bytes(data, name)[0].prompt == "a fox"


def test_a_savers_text_counts_only_where_the_graph_does_not_say_it():
    written = (
        "a wolf\nNegative prompt: x\nSteps: 9, Sampler: y, Seed: 1, Size: 64x64, Model: fox, Model hash: 45a21ea00a, "
        "Version: ComfyUI"
    )
    found = read_graph(simple(), parameters=written)
    assert (found.prompt, found.seed, found.model_hash) == ("a fox", 42, "45a21ea00a")
    lost = simple(_3=node("CLIPTextEncode", text=["8", 0], clip=["1", 1]), _8=node("OllamaGenerate", prompt="x"))
    found = read_graph(lost, parameters=written)
    assert (found.status, found.prompt, found.seed) == (Status.ok, "a wolf", 1)
