import pytest

from feedback.sample.work import Job
from store.errors import ModelError
from tests.trainer.checkpoints import refiner_folder
from tests.trainer.conftest import quick_settings
from trainer.base.model import load_base
from trainer.sample.sampler import sample_latents

JOBS = [Job("a big red star on a blue background", 1), Job("a small green hand", 2)]


def test_a_refiner_takes_the_last_steps_of_the_same_drawing(base, tmp_path):
    folder = refiner_folder(base, tmp_path / "refiner")
    settings = quick_settings(tmp_path, num_inference_steps=5, refiner=str(folder), refiner_start=0.6)
    refined = load_base(settings)
    assert refined.refiner is not None
    calls: list[str] = []
    for name, unet in (("base", refined.pipe.unet), ("refiner", refined.refiner.pipe.unet)):
        unet.register_forward_pre_hook(lambda *_, name=name: calls.append(name))
    told: list[tuple[int, int]] = []
    latents = sample_latents(refined, JOBS, refined.plain, on_step=lambda now: told.append((now.step, now.steps)))
    assert calls == ["base"] * 3 + ["refiner"] * 2
    assert told == [(step, 5) for step in (1, 2, 3, 4, 5)]
    assert (latents - sample_latents(base, JOBS, refined.plain)).abs().max() > 0.01
    assert refined.pipe.vae is refined.refiner.pipe.vae


def test_another_refiner_or_start_is_another_base(base, tmp_path):
    folder = refiner_folder(base, tmp_path / "refiner")
    settings = quick_settings(tmp_path, refiner=str(folder))
    hashes = {base.sha256, load_base(settings).sha256}
    hashes.add(load_base(settings.model_copy(update={"refiner_start": 0.9})).sha256)
    assert len(hashes) == 3


def test_what_is_no_refiner_is_refused_with_a_sentence(tmp_path):
    with pytest.raises(ModelError, match="could not be loaded as an SDXL refiner"):
        load_base(quick_settings(tmp_path, refiner=str(tmp_path)))
