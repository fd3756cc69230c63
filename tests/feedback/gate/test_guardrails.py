import io
import random

import numpy as np
import pytest
from PIL import Image as Picture

from feedback.gate.guardrails import Guardrail, Measures, compare, measure
from feedback.statistics import wilson


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Picture.fromarray(pixels.astype(np.uint8), "RGB").save(file, "PNG")
    return file.getvalue()


def scene(seed: int, shift: float = 1.0, grey: float = 0.0) -> np.ndarray:
    """A coloured patch on a light ground; `shift` scales the contrast, `grey` takes the colour away."""
    chance = random.Random(seed)
    pixels = np.full((32, 32, 3), 210.0)
    x, y = chance.randrange(20), chance.randrange(20)
    pixels[x : x + 12, y : y + 12] = [chance.randrange(40, 200) for _ in range(3)]
    pixels = 128 + (pixels - 128) * shift
    return np.clip(pixels * (1 - grey) + pixels.mean(axis=2, keepdims=True) * grey, 0, 255)


def measured(pictures: list[np.ndarray]) -> dict[tuple[int, int], Measures]:
    return {(1, n): measure(png(pixels)) for n, pixels in enumerate(pictures)}


def broken(found: list[Guardrail]) -> set[str]:
    return {guardrail.name for guardrail in found if guardrail.is_broken}


CHAMPION = [scene(n) for n in range(40)]


def test_pictures_as_good_break_nothing() -> None:
    found = compare(measured([scene(n + 100) for n in range(40)]), measured(CHAMPION))
    assert len(found) == 5
    assert broken(found) == set()
    assert broken(compare(measured(CHAMPION), measured(CHAMPION))) == set()


@pytest.mark.parametrize(
    ("pictures", "names"),
    [
        ([np.zeros((32, 32, 3))] * 20 + CHAMPION[20:], {"black or blank pictures"}),
        ([scene(1)] * 40, {"diversity", "near-identical pictures"}),
        ([scene(n, grey=0.9) for n in range(40)], {"saturation"}),
        ([scene(n, shift=0.4) for n in range(40)], {"contrast"}),
    ],
)
def test_what_raters_do_not_see_is_seen(pictures: list[np.ndarray], names: set[str]) -> None:
    assert names <= broken(compare(measured(pictures), measured(CHAMPION)))


def test_fewer_than_eight_pairs_say_nothing() -> None:
    assert compare(measured(CHAMPION[:7]), measured(CHAMPION)) == []


def test_a_prompt_scorer_guards_how_well_prompts_are_followed() -> None:
    def scored(score: float) -> dict[tuple[int, int], Measures]:
        return {
            (1, n): measure(png(pixels), "a red star", lambda picture, prompt: score + 0.001 * len(prompt))
            for n, pixels in enumerate(CHAMPION)
        }

    assert "prompt followed" in broken(compare(scored(0.5), scored(0.8)))
    assert "prompt followed" not in broken(compare(scored(0.9), scored(0.8)))


def test_measures_lie_between_nothing_and_all() -> None:
    white, black = measure(png(np.full((16, 16, 3), 255))), measure(png(np.zeros((16, 16, 3))))
    assert (round(white.brightness, 3), white.saturation, white.contrast) == (1.0, 0.0, pytest.approx(0, abs=1e-6))
    assert (black.brightness, black.contrast) == (0.0, 0.0)
    assert len(white.thumbnail) == 8 * 8 * 3 * 2


def test_the_measures_of_a_picture_are_its_means_over_the_pixels() -> None:
    pixels = np.zeros((16, 16, 3))
    pixels[:8] = [255, 0, 0]
    pixels[8:] = [0, 51, 102]
    found = measure(png(pixels))
    red, blue = 0.299, 0.587 * 0.2 + 0.114 * 0.4
    assert found.brightness == pytest.approx((red + blue) / 2, abs=1e-5)
    assert found.contrast == pytest.approx(abs(red - blue) / 2, abs=1e-5)
    assert found.saturation == pytest.approx(1.0, abs=1e-5)
    assert found.thumbnail == "ff0000" * 32 + "003366" * 32
    assert found.prompt_score is None


def test_a_pale_colour_is_half_saturated() -> None:
    assert measure(png(np.full((8, 8, 3), [200, 100, 150]))).saturation == pytest.approx(0.5, abs=1e-5)


def test_a_scorer_sees_the_picture_and_its_prompt() -> None:
    seen = []
    score = measure(png(CHAMPION[0]), "a red star", lambda picture, prompt: seen.append((picture.size, prompt)) or 0.25)
    assert (score.prompt_score, seen) == (0.25, [((32, 32), "a red star")])


def plain(n: int = 40, **changes: float) -> dict[tuple[int, int], Measures]:
    """Measures of n unlike pictures, all else equal."""
    values = {"brightness": 0.5, "saturation": 0.4, "contrast": 0.2} | changes
    return {(1, k): Measures(**values, thumbnail=f"{k * 6:02x}" * 192) for k in range(n)}


def of_name(found: list[Guardrail], name: str) -> Guardrail:
    return next(one for one in found if one.name == name)


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({}, set()),
        ({"saturation": 0.33}, set()),
        ({"saturation": 0.31}, {"saturation"}),
        ({"saturation": 0.49}, set()),
        ({"saturation": 0.51}, {"saturation"}),
        ({"contrast": 0.17}, set()),
        ({"contrast": 0.15}, {"contrast"}),
        ({"contrast": 0.26}, {"contrast"}),
        ({"brightness": 0.031}, set()),
        ({"brightness": 0.029}, {"black or blank pictures"}),
        ({"contrast": 0.0101}, {"contrast"}),
        ({"contrast": 0.0099}, {"contrast", "black or blank pictures"}),
    ],
)
def test_each_guardrail_breaks_at_its_limit(changes: dict[str, float], names: set[str]) -> None:
    assert broken(compare(plain(**changes), plain())) == names


def test_more_diversity_is_no_loss_and_a_tenth_less_is() -> None:
    def spread(factor: float) -> dict[tuple[int, int], Measures]:
        return {(1, k): Measures(0.5, 0.4, 0.2, f"{round(k * factor):02x}" * 192) for k in range(40)}

    assert broken(compare(spread(6), spread(3))) == set()
    assert broken(compare(spread(5), spread(6))) == {"diversity"}
    assert "diversity" not in broken(compare(spread(5.7), spread(6)))


def test_the_sentences_say_what_moved_and_what_is_allowed() -> None:
    found = compare(plain(saturation=0.3, contrast=0.1), plain())
    assert of_name(found, "saturation").sentence == ("saturation: 25 % less; at most 20 % less or 25 % more is allowed")
    assert of_name(found, "contrast").interval == pytest.approx((-0.5, -0.5))
    assert of_name(found, "diversity").sentence == "diversity: no change; at most 10 % less is allowed"
    black = of_name(compare(plain(brightness=0.0), plain()), "black or blank pictures")
    assert black.sentence == "black or blank pictures: 40 of 40, against 0 of 40"
    assert black.interval == wilson(40, 40)


def test_only_pairs_that_both_drew_are_compared_and_eight_are_enough() -> None:
    both = compare(plain(8), plain(40, saturation=0.1))
    assert len(both) == 5
    assert of_name(both, "black or blank pictures").sentence.endswith("0 of 8, against 0 of 8")
    assert compare(plain(7), plain(40)) == []


def test_only_pairs_that_both_were_scored_count_for_the_prompts() -> None:
    def scored(score: float | None) -> Measures:
        return Measures(0.5, 0.4, 0.2, "00" * 192, score)

    old = {(1, k): scored(0.8) for k in range(10)}
    new = {(1, k): scored(0.8 if k < 5 else None) for k in range(10)}
    assert of_name(compare(new, old), "prompt followed").interval == pytest.approx((0, 0))
    assert len(compare({key: scored(None) for key in old}, old)) == 5
    lower = {key: scored(0.8 * 0.97) for key in old}
    assert of_name(compare(lower, old), "prompt followed").is_broken
    assert not of_name(compare({key: scored(0.8 * 0.985) for key in old}, old), "prompt followed").is_broken


def test_pictures_nearly_alike_are_counted_on_both_sides() -> None:
    alike = {(1, k): Measures(0.5, 0.4, 0.2, "40" * 192) for k in range(40)}
    assert of_name(compare(alike, plain()), "near-identical pictures").is_broken
    assert not of_name(compare(alike, alike), "near-identical pictures").is_broken
    nearly = {(1, k): Measures(0.5, 0.4, 0.2, f"{k * 3:02x}" * 192) for k in range(40)}
    assert not of_name(compare(nearly, plain()), "near-identical pictures").is_broken
