"""A1111's text, with all that people write into prompts."""

import pytest

from feedback.metadata.found import Lora, Mark, Status
from feedback.metadata.read import read_bytes
from feedback.metadata.tools.infotext import parse
from tests.feedback.metadata import made

LAST = (
    "Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 42, Size: 64x64, Model hash: 45a21ea00a, Model: fox, "
    "Version: v1.10.1"
)


def read(text: str, name: str = "a.png", size: tuple[int, int] = (64, 64)):
    return read_bytes(made.png(made.international("parameters", text), size=size), name)[0]


@pytest.mark.parametrize(
    ("head", "prompt", "negative"),
    [
        ("a fox\nin snow\nNegative prompt: bad\nworse", "a fox\nin snow", "bad\nworse"),
        (
            "a sign\nSteps: 20, Sampler: none, Seed: 1\nof wood\nNegative prompt: x",
            "a sign\nSteps: 20, Sampler: none, Seed: 1\nof wood",
            "x",
        ),
        ('a sign saying "Negative prompt: none"\nof wood', 'a sign saying "Negative prompt: none"\nof wood', ""),
        ("a sign\nNegative prompt: Steps: 3, of stairs", "a sign", "Steps: 3, of stairs"),
        ("Negative prompt: bad", "", "bad"),
        ("", "", ""),
        ("a fox,\r\nin snow\r\nNegative prompt: bad", "a fox,\nin snow", "bad"),
        ("a (fox:1.2), [snow], BREAK\n{wood}", "a (fox:1.2), [snow], BREAK\n{wood}", ""),
        ("Steps: to a temple", "Steps: to a temple", ""),
    ],
)
def test_only_the_last_line_holds_the_settings(head, prompt, negative):
    found = read(f"{head}\n{LAST}" if head else LAST)
    assert (found.status, found.prompt, found.negative_prompt, found.seed) == (Status.ok, prompt, negative, 42)


def test_a_text_on_one_line_is_read():
    found = read(f"a fox, in snow Negative prompt: bad, worse {LAST}")
    assert (found.prompt, found.negative_prompt, found.seed) == ("a fox, in snow", "bad, worse", 42)


def test_settings_that_do_not_begin_with_the_steps_are_read():
    found = read("a fox\nNegative prompt: bad\nSize: 64x64, Seed: 42, Model: fox, Steps: 20, CFG scale: 7")
    assert (found.prompt, found.negative_prompt, found.seed, found.steps) == ("a fox", "bad", 42, 20)


def test_values_in_quotes_hide_their_commas_and_keys():
    text = parse(
        'a\nSteps: 20, Hires prompt: "b, Seed: 1\\nSteps: 3", ControlNet 0: "Module: canny, Model: x [1], Weight: 1", '
        'ADetailer Version: 25.3, Lora hashes: "ink: 1a2b, oil: 3c4d", Seed: 42, Hashes: {"model": "45"}, Version: v1'
    )
    assert text.get("seed") == "42"
    assert text.get("version") == "v1"
    assert text.get("hires prompt") == "b, Seed: 1\nSteps: 3"
    assert text.get("model") == ""


@pytest.mark.parametrize(
    ("rest", "mark"),
    [
        ("Denoising strength: 0.5", Mark.img2img),
        ("Denoising strength: 0.3, Hires upscale: 2, Hires upscaler: Latent", Mark.upscaled),
        ("Denoising strength: 0.7, Mask blur: 4", Mark.inpainted),
        ("ADetailer model: face_yolov8n.pt, ADetailer Version: 25.3", Mark.inpainted),
        ('ControlNet 0: "Module: canny, Model: x"', Mark.controlled),
        ("RP Active: True", Mark.regional),
        ("Refiner: sd_xl_refiner_1.0 [7440042bbd], Refiner switch at: 0.8", Mark.refined),
        ("Face restoration: CodeFormer", Mark.inpainted),
        ("Postprocess upscale by: 2", Mark.upscaled),
    ],
)
def test_what_the_prompt_does_not_explain_is_marked(rest, mark):
    found = read(f"a fox\n{LAST}, {rest}")
    assert found.marks == (mark,)
    assert found.status is Status.ok
    assert found.why
    assert not found.is_trainable


@pytest.mark.parametrize(
    "model", ["dreamshaperXL_lightningDPMSDE", "sdxl-turbo", "x_lcm", "realvisHyper-SD8", "some-dmd2"]
)
def test_distilled_models_are_marked(model):
    assert read(f"a fox\n{LAST.replace('Model: fox', f'Model: {model}')}").marks == (Mark.distilled,)


def test_loras_are_taken_out_of_the_prompt():
    found = read(f"a fox, <lora:ink:0.8>, (snow:1.2) <lyco:oil:1:0.5>\n{LAST}")
    assert found.prompt == "a fox, , (snow:1.2)"
    assert found.loras == (Lora("ink", 0.8), Lora("oil", 1.0))


@pytest.mark.parametrize("script", ["X/Y/Z plot", "X/Y plot", "Prompt matrix"])
def test_a_grid_is_known_by_its_script(script):
    assert read(f"a fox\n{LAST}, Script: {script}").status is Status.grid


@pytest.mark.parametrize("name", ["grid-0001.png", "xyz_grid-0001-7.png", "xy_grid-1.png"])
def test_a_grid_is_known_by_its_name(name):
    assert read(f"a fox\n{LAST}", name).status is Status.grid


@pytest.mark.parametrize(
    ("size", "status", "marks"),
    [
        ((64, 64), Status.ok, ()),
        ((128, 128), Status.grid, ()),
        ((192, 64), Status.grid, ()),
        ((96, 96), Status.ok, (Mark.upscaled,)),
        ((100, 64), Status.ok, (Mark.resized,)),
        ((32, 32), Status.ok, (Mark.resized,)),
    ],
)
def test_pixels_win_over_the_declared_size(size, status, marks):
    found = read(f"a fox\n{LAST}", size=size)
    assert (found.width, found.height) == size
    assert (found.status, tuple(set(found.marks))) == (status, marks)


def test_an_upscaled_picture_is_no_grid():
    found = read(f"a fox\n{LAST}, Hires upscale: 2", size=(128, 128))
    assert (found.status, found.marks) == (Status.ok, (Mark.upscaled,))


@pytest.mark.parametrize("seed", ["", ", Seed: -1", ", Seed: abc", ", Seed: 99999999999999999999999"])
def test_a_missing_or_impossible_seed_is_said(seed):
    found = read(f"a fox\nSteps: 20, Sampler: Euler{seed}")
    assert (found.status, found.prompt, found.seed) == (Status.partial, "a fox", None)
    assert "seed" in found.why


@pytest.mark.parametrize(
    ("line", "base", "status"),
    [
        ("Pipeline: StableDiffusionXLPipeline", "sdxl", Status.ok),
        ("Pipeline: StableDiffusionXLImg2ImgPipeline", "sdxl", Status.ok),
        ("Pipeline: StableDiffusionPipeline", "sd1", Status.not_sdxl),
        ("Pipeline: FluxPipeline", "flux", Status.not_sdxl),
    ],
)
def test_the_base_that_the_program_declares_decides(line, base, status):
    found = read(f"a fox\n{LAST}, App: SD.Next, {line}")
    assert (found.base, found.status) == (base, status)


def test_a_name_alone_tells_no_base_until_somebody_says_it():
    data = made.png(made.text("parameters", f"a fox\n{LAST}"))
    assert read_bytes(data, "a.png")[0].base == "unknown"
    for known in ({"45a21ea00a": "sdxl"}, {"fox": "sdxl"}):
        found = read_bytes(data, "a.png", known_bases=known)[0]
        assert found.is_trainable
    assert read_bytes(data, "a.png", known_bases={"fox": "sd1"})[0].status is Status.not_sdxl


@pytest.mark.parametrize("text", ["a photograph of a fox", "ACD Systems Digital Imaging", "{not json", "1234"])
def test_a_text_that_is_nobodys_is_not_taken_for_a_prompt(text):
    found = read(text)
    assert (found.status, found.prompt) == (Status.unrecognised, None)
    assert found.raw[0].text == text
