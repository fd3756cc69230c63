import io
import random

import numpy as np
import pytest
from PIL import Image as Picture

from feedback.gate.guardrails import Guardrail, Measures, compare, measure


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
