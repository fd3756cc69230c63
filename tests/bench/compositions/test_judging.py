from collections import Counter

import numpy as np
import pytest
from PIL import Image, ImageFilter

from bench.compositions import FAULTS, SUBJECTS, all_scenes, draw, judge, phrasings, pictures, read_prompt
from bench.compositions.palette import COLOURS
from trainer.world import Pictures


def agreement(drawn: Pictures, pixels: np.ndarray) -> dict[str, float]:
    """Share of each subject's pictures whose faults the judge names exactly: all of them and no other."""
    agreed, shown = Counter(), Counter()
    for page, prompt, scene, fault in zip(pixels, drawn.prompts, drawn.scenes, drawn.faults, strict=True):
        agreed[scene.subject] += judge(Image.fromarray(page), prompt) == ((fault,) if fault else ())
        shown[scene.subject] += 1
    return {subject: agreed[subject] / shown[subject] for subject in SUBJECTS}


def worn(pixels: np.ndarray) -> np.ndarray:
    """A blur of 0.7 px and noise of 4 levels."""
    rng = np.random.default_rng(1)
    soft = [np.asarray(Image.fromarray(page).filter(ImageFilter.GaussianBlur(0.7)), float) for page in pixels]
    return (np.array(soft) + rng.normal(0, 4, pixels.shape)).clip(0, 255).round().astype(np.uint8)


@pytest.mark.parametrize("wear", [np.copy, worn])
def test_the_judge_names_the_fault_of_a_drawn_picture(wear):
    drawn = pictures(240, faulty=0.5, seed=4242)
    assert min(agreement(drawn, wear(drawn.pixels)).values()) >= 0.98


@pytest.mark.slow
def test_the_judge_agrees_on_98_of_100_drawn_pictures_of_each_subject_as_drawn_and_worn():
    drawn = pictures(2000, faulty=0.5, seed=4243)
    looks = {"as drawn": drawn.pixels, "blur and noise": worn(drawn.pixels)}
    shares = {name: agreement(drawn, pixels) for name, pixels in looks.items()}
    print("agreement on 2,000 drawn pictures:", *shares.items(), sep="\n")
    assert min(min(share.values()) for share in shares.values()) >= 0.98


def test_every_way_of_being_wrong_is_seen():
    for subject in SUBJECTS:
        scene = all_scenes(subject)[5]
        for fault in FAULTS[subject]:
            picture = draw(scene, np.random.default_rng(0), fault)
            assert judge(picture, phrasings(scene)[0]) == (fault,), (subject, fault)


@pytest.mark.parametrize(
    ("drawn", "prompt", "faults"),
    [
        ("a red circle above a blue square on mint", "a red circle and a blue square on mint", ()),
        ("a red circle above a blue square on mint", "a blue square below a red circle on mint", ()),
        ("a red circle above a blue square on mint", "a red circle left of a blue square on mint", ("relation",)),
        ("a red circle above a blue square on mint", "a red circle above a blue square on pink", ("background",)),
        ("a red circle above a blue square on mint", "two red circles on mint", ("colour", "shape")),
        ("one red star on mint", "a red star and a blue square on mint", ("missing",)),
        ("three red stars on mint", "a red star and a blue square on mint", ("blob",)),
        ("a sad red face with a hat on mint", "a happy red face with glasses on mint", ("mouth", "part")),
        ("three red stars on mint", "a sad red face on mint", ("blob",)),
    ],
)
def test_a_picture_is_judged_by_what_the_prompt_asks(drawn, prompt, faults):
    assert judge(_draw(drawn), prompt) == faults


def test_a_stray_blob_is_an_artefact():
    picture = _draw("a red circle and a blue square on mint")
    picture.paste(COLOURS["green"], (1, 1, 5, 5))
    assert judge(picture, "a red circle and a blue square on mint") == ("blob",)


@pytest.mark.parametrize("subject", SUBJECTS)
@pytest.mark.parametrize("kind", ["flat", "noise"])
def test_no_subject_passes_when_nothing_of_it_is_there(subject, kind):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    picture = Image.new("RGB", (64, 64), (176, 236, 196)) if kind == "flat" else Image.fromarray(noise)
    assert judge(picture, phrasings(all_scenes(subject)[1])[0])


def test_a_prompt_of_another_world_is_refused():
    with pytest.raises(ValueError, match="does not name one composition"):
        judge(Image.new("RGB", (64, 64)), "a photo of a horse")


def _draw(prompt: str) -> Image.Image:
    return draw(read_prompt(prompt), np.random.default_rng(3))
