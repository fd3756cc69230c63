from collections import Counter

import numpy as np
import pytest
from PIL import Image, ImageFilter

from trainer.world import FAULTS, SUBJECTS, Scene, all_scenes, draw, judge, phrasings, pictures, reasons


def agreement(count: int, blurred: bool) -> dict[str, float]:
    """Share of each subject's drawn pictures whose faults the judge names exactly: all of them and no other."""
    drawn, rng = pictures(count, faulty=0.5, seed=4242), np.random.default_rng(1)
    agreed, shown = Counter(), Counter()
    for pixels, prompt, scene, fault in zip(drawn.pixels, drawn.prompts, drawn.scenes, drawn.faults, strict=True):
        picture = Image.fromarray(_worn(pixels, rng) if blurred else pixels)
        agreed[scene.subject] += judge(picture, prompt) == ((fault,) if fault else ())
        shown[scene.subject] += 1
    shares = {subject: agreed[subject] / shown[subject] for subject in SUBJECTS}
    print(f"agreement on {count} pictures{', blurred' if blurred else ''}: {shares}")
    return shares


def _worn(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A blur of 0.7 px and noise of 4 levels, about what an autoencoder of factor 4 does."""
    soft = np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(0.7)), float)
    return (soft + rng.normal(0, 4, soft.shape)).clip(0, 255).round().astype(np.uint8)


@pytest.mark.parametrize("blurred", [False, True])
def test_the_judge_names_the_fault_of_a_drawn_picture(blurred):
    assert min(agreement(360, blurred).values()) >= 0.98


@pytest.mark.slow
@pytest.mark.parametrize("blurred", [False, True])
def test_the_judge_agrees_on_99_of_100_drawn_pictures_of_each_subject(blurred):
    assert min(agreement(1200, blurred).values()) >= 0.99


def test_a_picture_of_something_else_is_wrong():
    cat = draw(Scene("cat", "red", "mint"), np.random.default_rng(0))
    assert judge(cat, "a red cat on mint") == ()
    for prompt in (
        "a red hand on mint",
        "a red six-petal flower on mint",
        'a red sign that says "GO" on mint',
    ):
        assert judge(cat, prompt), prompt
    assert judge(cat, "a red cat on pink") == ("background",)
    assert judge(cat, "a red cat with a bow on mint") == ("part",)


@pytest.mark.parametrize("subject", SUBJECTS)
@pytest.mark.parametrize("kind", ["flat", "noise", "disc"])
def test_no_subject_passes_when_nothing_of_it_is_there(subject, kind):
    rows, columns = np.indices((64, 64))
    pixels = {
        "flat": np.full((64, 64, 3), (180, 232, 206)),
        "noise": np.random.default_rng(0).integers(0, 256, (64, 64, 3)),
        "disc": np.where(((rows - 32) ** 2 + (columns - 32) ** 2 < 400)[..., None], (222, 66, 70), (180, 232, 206)),
    }[kind]
    prompts = {
        "flower": "a red flower with six petals on mint",
        "star": "a big red star on mint",
        "sign": "a red sign reading OK on mint",
    }
    prompt = prompts.get(subject, f"a red {subject} on mint")
    assert judge(Image.fromarray(pixels.astype(np.uint8)), prompt)


def test_a_stray_blob_is_an_artefact():
    picture = draw(Scene("star", "blue", "cream", "small"), np.random.default_rng(0))
    picture.paste((62, 124, 218), (4, 4, 10, 10))
    faults = judge(picture, "a small blue star on cream")
    assert "blob" in faults


def test_a_prompt_of_another_world_is_refused():
    with pytest.raises(ValueError, match="does not name one subject"):
        judge(Image.new("RGB", (64, 64)), "a photo of a horse")


def test_every_fault_has_a_reason():
    prompts = {subject: phrasings(all_scenes(subject)[0])[0] for subject in SUBJECTS}
    words = {word for s, faults in FAULTS.items() for fault in faults for word in reasons((fault,), prompts[s])}
    assert words == {"hands", "anatomy", "text", "colour", "composition"}
    assert reasons(("part",), prompts["cat"]) == ("anatomy",)
    assert reasons(("background", "blob", "size"), prompts["star"]) == ("prompt not followed", "artefact")
