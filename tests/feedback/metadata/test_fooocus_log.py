"""Fooocus writes no metadata into its pictures unless asked; its log has the prompts."""

import json
import os
import zipfile
from pathlib import Path
from urllib.parse import quote

import pytest

from feedback.exchange.pictures.sources import open_source
from feedback.metadata.files.fooocus_log import read_log
from feedback.metadata.found import SDXL, Found, Lora, Mark, Status
from feedback.metadata.read import read_bytes, read_picture
from tests.feedback.metadata import made

VALUES = [
    ("Prompt", "prompt", "a fox & <b>two</b> hens"),
    ("Negative Prompt", "negative_prompt", "blurry"),
    ("Fooocus V2 Expansion", "prompt_expansion", ""),
    ("Styles", "styles", "[]"),
    ("Performance", "performance", "Speed"),
    ("Steps", "steps", 30),
    ("Resolution", "resolution", "(64, 64)"),
    ("Guidance Scale", "guidance_scale", 4.0),
    ("Base Model", "base_model", "juggernautXL_v8Rundiffusion.safetensors"),
    ("Refiner Model", "refiner_model", "None"),
    ("Sampler", "sampler", "dpmpp_2m_sde_gpu"),
    ("Scheduler", "scheduler", "karras"),
    ("Seed", "seed", "1234567890123456789"),
    ("LoRA 1", "lora_combined_1", "sd_xl_offset_example-lora_1.0.safetensors : 0.1"),
    ("Version", "version", "Fooocus v2.5.5"),
]


def block(name: str, *, key: str = "label", has_button: bool = True, **more: object) -> str:
    """A picture's block, as `log` of modules/private_logger.py writes it."""
    values = [(label, name, more.get(name, value)) for label, name, value in VALUES]
    rows = "".join(f"<tr><td class='{key}'>{one[0]}</td><td class='value'>{one[2]}</td></tr>\n" for one in values)
    button = (
        f"""</br><button onclick="to_clipboard('{quote(json.dumps({one[1]: one[2] for one in values}), safe="")}')">"""
    )
    return (
        f"""<div id="{name.replace(".", "_")}" class="image-container"><hr><table><tr>\n<td><a href="{name}" """
        f"""target="_blank"><img src='{name}' loading='lazy'/></a><div>{name}</div></td><td><table class='metadata'>"""
        f"""{rows}</table>{button if has_button else ""}</td></tr></table></div>\n\n"""
    )


def page(*blocks: str) -> bytes:
    split = "<!--fooocus-log-split-->"
    return (
        f"<!DOCTYPE html><html><body><p>Fooocus Log</p>\n{split}\n\n{''.join(blocks)}\n{split}</body></html>".encode()
    )


@pytest.fixture
def day(tmp_path: Path) -> Path:
    """A day's folder with one picture without metadata."""
    (tmp_path / "a.png").write_bytes(made.png(size=(64, 64)))
    return tmp_path


def is_read(found: Found) -> bool:
    assert (found.status, found.tool, found.seed, found.steps) == (Status.ok, "Fooocus", 1234567890123456789, 30)
    assert (found.negative_prompt, found.base, found.marks) == ("blurry", SDXL, ())
    assert found.loras == (Lora("sd_xl_offset_example-lora_1.0", 0.1),)
    return found.prompt == "a fox & <b>two</b> hens"


def test_the_log_tells_what_the_picture_does_not(day):
    assert read_picture(day / "a.png").status is Status.empty
    (day / "log.html").write_bytes(page(block("b.png", prompt="an owl"), block("a.png")))
    assert is_read(read_picture(day / "a.png"))


def test_a_log_of_before_the_button_is_read_from_its_table(day):
    old = block("a.png", key="key", has_button=False, prompt="a fox &amp; hen </br> at night")
    (day / "log.html").write_bytes(page(old.replace('href="a.png"', "href='a.png'")))
    found = read_picture(day / "a.png")
    assert (found.prompt, found.seed) == ("a fox & hen\nat night", 1234567890123456789)


def test_a_prompt_with_markup_breaks_no_other_entry():
    hostile = "</td></tr></table></div><div id='x'><a href='b.png'>to_clipboard('{}')"
    found = read_log(page(block("a.png", prompt=hostile), block("b.png")))
    assert [json.loads(found[name])["prompt"] for name in ("a.png", "b.png")] == [hostile, VALUES[0][2]]


def test_the_newest_entry_of_a_name_counts(day):
    (day / "log.html").write_bytes(page(block("a.png"), block("a.png", prompt="an older fox")))
    assert is_read(read_picture(day / "a.png"))


def test_what_the_picture_or_a_text_beside_it_says_counts_before_the_log(day):
    (day / "log.html").write_bytes(page(block("a.png")))
    (day / "a.txt").write_text("an owl\nSteps: 20, Sampler: x, Seed: 1")
    assert read_picture(day / "a.png").prompt == "an owl"
    (day / "a.txt").unlink()
    own = made.png(made.text("parameters", "a hen\nSteps: 20, Sampler: x, Seed: 1"), size=(64, 64))
    (day / "a.png").write_bytes(own)
    assert read_picture(day / "a.png").prompt == "a hen"


def test_a_log_that_grew_is_read_again(day):
    log = day / "log.html"
    log.write_bytes(page())
    assert read_picture(day / "a.png").status is Status.empty
    log.write_bytes(page(block("a.png")))
    os.utime(log, ns=(1, 1))
    assert is_read(read_picture(day / "a.png"))


def test_a_log_in_an_archive_is_read(day):
    with zipfile.ZipFile(day / "day.zip", "w") as archive:
        archive.writestr("out/a.png", (day / "a.png").read_bytes())
        archive.writestr("out/log.html", page(block("a.png")))
        archive.writestr("other/a.png", (day / "a.png").read_bytes())
    source = open_source(day / "day.zip")
    read = {
        one.name: read_bytes(source.read(one.name), "a.png", source.beside(one.name))[0] for one in source.entries()
    }
    assert is_read(read["out/a.png"])
    assert read["other/a.png"].status is Status.empty


@pytest.mark.parametrize("data", [b"", b"<html>", b"\xff\xfe", page("<div id=\"a\" class=\"image-container\">"),
                                  page(block("a.png"))[:700]])  # fmt: skip
def test_a_damaged_log_says_nothing(data):
    assert read_log(data) == {}


def test_what_fooocus_added_is_marked(day):
    (day / "log.html").write_bytes(page(block("a.png", styles="['Fooocus V2']")))
    assert Mark.styled in read_picture(day / "a.png").marks
