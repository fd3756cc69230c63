"""Every real picture is read as a person read it."""

import random

import pytest

from feedback.metadata.found import Found
from feedback.metadata.read import read_picture
from tests.feedback.metadata.expected import EXPECTED, Expected


def agrees(found: Found, wanted: Expected) -> None:
    assert found.status == wanted.status
    assert found.tool == wanted.tool
    for text, expected in ((found.prompt, wanted.prompt), (found.negative_prompt, wanted.negative)):
        if expected and expected.endswith("…"):
            assert text is not None
            assert text.startswith(expected[:-1])
        else:
            assert text == expected
    assert (found.seed, found.steps, found.guidance_scale) == (wanted.seed, wanted.steps, wanted.guidance)
    assert (found.base, found.model) == (wanted.base, wanted.model)
    assert sorted(found.marks) == wanted.marks.split()
    is_explained = wanted.status == "ok" and not wanted.marks
    assert bool(found.why) != is_explained


@pytest.mark.parametrize("name", EXPECTED)
def test_a_real_picture_is_read_as_a_person_read_it(name, real_pictures):
    agrees(read_picture(real_pictures / name), EXPECTED[name])


def test_every_real_picture_has_an_expectation(real_pictures):
    found = {str(path.relative_to(real_pictures)) for path in real_pictures.rglob("*") if path.is_file()}
    assert {name for name in found if not name.endswith(".md")} == set(EXPECTED)


@pytest.mark.parametrize("order", range(3))
def test_the_order_of_reading_changes_nothing(order, real_pictures):
    names = list(EXPECTED)
    random.Random(order).shuffle(names)
    for name in names:
        agrees(read_picture(real_pictures / name), EXPECTED[name])


def test_the_raw_texts_are_kept(real_pictures):
    found = read_picture(real_pictures / "sd-parsers/bad_images/text_after_idat.png")
    [raw] = [one for one in found.raw if one.place == "parameters"]
    assert raw.text.startswith("photo of a duck\nNegative prompt: monochrome\nSteps: 15, Sampler: UniPC")
