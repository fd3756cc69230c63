from collections import Counter
from functools import cache

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL
from PIL import Image, ImageFilter

from bench.compositions import FAULTS, SUBJECTS, all_scenes, draw, judge, phrasings, pictures, read_prompt
from bench.compositions.palette import COLOURS
from bench.compositions.scenes import WEAR
from bench.loop.worlds import COMPOSITIONS_MODEL
from trainer.builtin.vae import encode
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


@cache
def autoencoder() -> AutoencoderKL:
    return AutoencoderKL.from_pretrained(COMPOSITIONS_MODEL / "vae", torch_dtype=torch.float32).eval()


@torch.no_grad()
def brought_back(pixels: np.ndarray) -> np.ndarray:
    """Encoded and decoded by the model's autoencoder, which brings every generated picture too."""
    vae = autoencoder()
    latents = encode(vae, torch.from_numpy(pixels)) / vae.config.scaling_factor
    signal = torch.cat([vae.decode(part).sample for part in latents.split(64)])
    return ((signal / 2 + 0.5).clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).numpy()


@pytest.mark.parametrize("wear", [np.copy, worn])
def test_the_judge_names_the_fault_of_a_drawn_picture(wear):
    drawn = pictures(240, faulty=0.5, seed=4242)
    assert min(agreement(drawn, wear(drawn.pixels)).values()) >= 0.98


@pytest.mark.slow
def test_the_judge_agrees_on_98_of_100_drawn_pictures_of_each_subject_as_drawn_and_worn():
    drawn = pictures(800, faulty=0.5, seed=4243)
    looks = {"as drawn": drawn.pixels, "blur and noise": worn(drawn.pixels)}
    shares = {name: agreement(drawn, pixels) for name, pixels in looks.items()}
    print("agreement on 800 drawn pictures:", *shares.items(), sep="\n")
    assert min(min(share.values()) for share in shares.values()) >= 0.98


@pytest.mark.slow
@pytest.mark.parametrize("faulty", [0.0, 1.0], ids=["right", "wrong"])
@pytest.mark.parametrize("wear", [np.copy, brought_back])
def test_98_of_100_right_pictures_are_judged_right_and_wrong_ones_wrong_also_after_the_autoencoder(wear, faulty):
    drawn, hits = pictures(400, faulty, seed=4244), Counter()
    for page, prompt, scene in zip(wear(drawn.pixels), drawn.prompts, drawn.scenes, strict=True):
        hits[scene.subject] += bool(judge(Image.fromarray(page), prompt)) == bool(faulty)
    print(f"judged as drawn, of 100 {'wrong' if faulty else 'right'} ones each, {wear.__name__}:", dict(hits))
    assert min(hits[subject] for subject in SUBJECTS) >= 98


@pytest.mark.parametrize(("mouth", "other"), [("smiling", "sad"), ("sad", "smiling")])
def test_a_mouth_that_the_autoencoder_smears_reads_as_it_was_drawn(mouth, other):
    backs = brought_back(np.array([np.asarray(_draw(f"a {mouth} green face{wear} on sky")) for wear in WEAR.values()]))
    for page, wear in zip(backs, WEAR.values(), strict=True):
        assert judge(Image.fromarray(page), f"a {mouth} green face{wear} on sky") == ()
        assert judge(Image.fromarray(page), f"a {other} green face{wear} on sky") == ("mouth",)


def test_a_face_without_a_mouth_is_neither_smiling_nor_sad():
    picture = _draw("a sad red face on mint")
    picture.paste(COLOURS["red"], (20, 40, 44, 54))
    assert judge(picture, "a sad red face on mint") == judge(picture, "a happy red face on mint") == ("mouth",)


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
