import io
import json
import re
from dataclasses import replace

import pytest
from PIL import Image

from feedback.sample.conditions import Conditions
from feedback.sample.tries import Redraw, Tries, best_of
from feedback.sample.work import Drawing, Job
from store.tables import Version
from trainer.draw.metadata import Maker, is_sound, write_picture

JOB = Job("a red star, above a blue hand", 7)
DRAWING = Drawing("same-prompt", 4.0, 3.2, 20, 64, 48, "ugly, blurred", Conditions(scheduler="DDIMScheduler leading"))
VERSION = Version(
    number=3, sha256="a" * 64, base_model="stabilityai/stable-diffusion-xl-base-1.0", base_sha256="b" * 64
)
MAKER = Maker(VERSION, DRAWING, Redraw(3, 0.25), "DDIMScheduler leading", "0123456789")
TRIES = Tries(2, (0.4, 0.1234567))


def picture() -> Image.Image:
    return Image.new("RGB", (64, 48), "red")


def info(maker: Maker = MAKER, job: Job = JOB, tries: Tries = TRIES) -> dict:
    return Image.open(io.BytesIO(write_picture(picture(), maker, job, tries))).info


def read_a1111(text: str) -> dict[str, str]:
    """What AUTOMATIC1111's reader (`parse_generation_parameters`) makes of a picture's parameters."""
    *lines, last = text.strip().split("\n")
    found: dict[str, str] = {"Prompt": "", "Negative prompt": ""}
    into = "Prompt"
    for line in map(str.strip, lines):
        if line.startswith("Negative prompt:"):
            into, line = "Negative prompt", line[16:].strip()
        found[into] += ("" if found[into] == "" else "\n") + line
    for key, value in re.findall(r'\s*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)', last):
        found[key] = json.loads(value) if value.startswith('"') else value
    return found


def test_the_parameters_are_those_that_a1111_reads():
    found = read_a1111(info()["parameters"])
    assert found == {
        "Prompt": JOB.prompt,
        "Negative prompt": "ugly, blurred",
        "Steps": "20",
        "Sampler": "DDIM",
        "CFG scale": "3.2",
        "Seed": "7",
        "Size": "64x48",
        "Model hash": "0123456789",
        "Model": "stable-diffusion-xl-base-1.0",
        "Naysayer version": "v3",
        "Naysayer rule": "same-prompt",
        "Naysayer strength": "4",
        "Naysayer try": "2 of 2",
        "Naysayer score": "0.1235",
        "Version": found["Version"],
    }
    assert re.fullmatch(r"Naysayer \d.*", found["Version"])


def test_a_name_that_a1111s_reader_would_cut_is_quoted():
    odd = Version(number=3, sha256="a" * 64, base_model='models/my, "best": model.safetensors', base_sha256="b" * 64)
    assert read_a1111(info(replace(MAKER, version=odd))["parameters"])["Model"] == 'my, "best": model'


def test_without_a_negative_prompt_and_a_check_nothing_is_said_of_them():
    plain = replace(MAKER, drawing=replace(DRAWING, negative_prompt=""), redraw=None)
    found = read_a1111(info(plain, tries=Tries())["parameters"])
    assert found["Negative prompt"] == ""
    assert "Naysayer score" not in found
    assert found["Naysayer try"] == "1 of 1"


def test_the_json_holds_all_that_the_picture_can_be_drawn_from_again():
    own = json.loads(info()["naysayer"])
    assert (own["prompt"], own["seed"], own["version"], own["try"]) == (JOB.prompt, 7, 3, 2)
    assert own["scores"] == list(TRIES.scores)
    assert (own["most_tries"], own["cut"]) == (3, 0.25)
    assert own["conditions"] == {"scheduler": "DDIMScheduler leading"}
    assert json.loads(info(replace(MAKER, redraw=best_of(6)))["naysayer"])["best_of"] == 6


def test_a_prompt_in_any_script_comes_back_as_it_was():
    job = Job("狐, a für ☃ fox", 1)
    assert read_a1111(info(job=job)["parameters"])["Prompt"] == job.prompt
    assert json.loads(info(job=job)["naysayer"])["prompt"] == job.prompt


def test_a_file_is_named_by_all_that_decides_the_picture():
    others = [
        (replace(MAKER, version=Version(**(VERSION.model_dump() | {"number": 4}))), JOB),
        (replace(MAKER, version=Version(**(VERSION.model_dump() | {"sha256": "c" * 64}))), JOB),
        (replace(MAKER, drawing=replace(DRAWING, num_inference_steps=21)), JOB),
        (replace(MAKER, redraw=None), JOB),
        (replace(MAKER, redraw=best_of(3)), JOB),
        (MAKER, Job(JOB.prompt, 8)),
        (MAKER, Job(JOB.prompt + "s", 7)),
        (MAKER, Job(JOB.prompt.replace(",", "!"), 7)),
    ]
    names = [maker.file_name(job) for maker, job in [(MAKER, JOB), *others]]
    assert len(set(names)) == len(names)
    assert names[0] == replace(MAKER).file_name(Job(*JOB))
    assert re.fullmatch(r"a-red-star-above-a-blue-hand-7-v3-[0-9a-f]{8}\.png", names[0])


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "picture.png"
    path.write_bytes(write_picture(picture(), MAKER, JOB, TRIES))
    return path


def test_a_picture_is_sound_while_its_file_is_whole(path):
    assert is_sound(path, MAKER, JOB)
    assert not is_sound(path, MAKER, Job(JOB.prompt, 8))
    assert not is_sound(path.with_name("gone.png"), MAKER, JOB)
    whole = path.read_bytes()
    for cut in (0, 8, 40, len(whole) // 2, len(whole) - 20):
        path.write_bytes(whole[:cut])
        assert not is_sound(path, MAKER, JOB), cut


def test_a_picture_that_was_painted_over_or_lost_its_texts_is_not_sound(path):
    with Image.open(path) as opened:
        opened.load()
        texts = opened.info
    opened.save(path)
    assert not is_sound(path, MAKER, JOB)
    opened.putpixel((3, 3), (0, 0, 0))
    path.write_bytes(write_picture(opened, MAKER, JOB, TRIES))
    assert is_sound(path, MAKER, JOB)
    from PIL.PngImagePlugin import PngInfo

    kept = PngInfo()
    for key, text in texts.items():
        kept.add_text(key, text)
    opened.save(path, pnginfo=kept)
    assert not is_sound(path, MAKER, JOB)
