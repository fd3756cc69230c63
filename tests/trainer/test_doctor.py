import os
import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file
from sqlmodel import select, update

from feedback.pool.damage import set_aside
from feedback.sample.prompts import add_prompts, list_prompts
from feedback.versions import publish
from feedback.workers import NO_WORKER, Pulse, beat
from store.engine import writing
from store.files import sha256_of
from store.layout import layout_of
from store.migrate import open_store
from store.tables import Image, Version, Worker, WorkerState, utc_now
from tests.trainer.checkpoints import refiner_folder
from trainer.base.weights import BUILTIN_FOLDER
from trainer.doctor import Finding, examine


def problems(settings) -> list[str]:
    return [finding.sentence for finding in examine(settings) if not finding.is_fine]


@pytest.fixture
def store(engine, settings, fill, base):
    """A sound store with six pictures of the built-in model."""
    fill(engine, put=layout_of(settings).blobs.put)
    with writing(engine) as session:
        session.exec(update(Version).values(base_sha256=base.sha256))
    return engine


def publish_without_files(engine) -> None:
    row = Version(number=1, parent=0, sha256="1" * 64, base_model="builtin", base_sha256="0" * 64)
    with writing(engine) as session:
        publish(session, row, "made by a test")


def test_a_sound_store_has_no_problem(store, settings):
    findings = examine(settings)
    assert [finding.sentence for finding in findings if not finding.is_fine] == []
    assert Finding(True, "unchanged since they were stored: the newest 6 pictures") in findings
    assert any("the model builtin loads on" in finding.sentence for finding in findings)
    assert any("epsilon prediction, leading timesteps" in finding.sentence for finding in findings)
    assert Finding(True, "it draws a picture of 64x64 px (2 steps; epsilon prediction, leading timesteps)") in findings


def test_a_store_that_has_not_begun_or_cannot_is_not_called_sound(settings):
    findings = examine(settings)
    assert (
        Finding(True, f"there is no store at {settings.data_dir}/naysayer.db yet; `naysayer run` begins one")
        in findings
    )
    assert not any("is sound" in finding.sentence for finding in findings)
    settings.data_dir.write_bytes(b"")
    assert any(f"{settings.data_dir} is a file" in problem for problem in problems(settings))


def test_pictures_that_were_set_aside_are_named_until_their_files_are_mended(store, settings):
    path = layout_of(settings).blobs.path(sha256_of(b"picture 2"))
    sound = path.read_bytes()
    path.write_bytes(b"something else")
    set_aside(store, sha256_of(b"picture 2"))
    first, second, *_ = problems(settings)
    assert "the file of 1 picture is lost or altered (number 3), so nobody is shown them" in first
    assert str(path) in second
    path.write_bytes(sound)
    assert problems(settings) == []


def test_a_base_that_draws_black_pictures_is_a_problem(settings, tmp_path):
    folder = Path(shutil.copytree(BUILTIN_FOLDER, tmp_path / "model"))
    file = folder / "vae" / "diffusion_pytorch_model.safetensors"
    tensors = load_file(file)
    tensors["decoder.conv_out.bias"].fill_(float("nan"))
    save_file(tensors, file, {"format": "pt"})
    assert "NAYSAYER_VAE" in problems(settings.model_copy(update={"model": str(folder)}))[-1]


@pytest.mark.parametrize("start", [0.8, 0.95])
def test_the_doctor_lets_the_refiner_draw_too(settings, tmp_path, base, start):
    refiner = str(refiner_folder(base, tmp_path / "refiner"))
    found = examine(settings.model_copy(update={"refiner": refiner, "refiner_start": start}))
    assert found[-1].is_fine, found[-1].sentence
    assert "the last steps by the refiner" in found[-1].sentence


def test_a_device_that_is_not_there_is_a_problem_and_the_doctor_goes_on(settings):
    assert "NAYSAYER_DEVICE is cuda:97" in problems(settings.model_copy(update={"device": "cuda:97"}))[-1]


def test_an_altered_picture_is_a_problem(store, settings):
    with writing(store) as session:
        sha256 = session.exec(select(Image.sha256)).first()
    file = layout_of(settings).blobs.path(sha256)
    file.chmod(0o644)
    file.write_bytes(b"altered")
    (found,) = problems(settings)
    assert found.startswith(f"the file {file} does not have the content it was stored with")


def test_a_version_without_its_files_is_a_problem(store, settings):
    publish_without_files(store)
    found = problems(settings)
    assert len(found) == 2
    assert all(sentence.startswith("v1: ") and "is missing or altered" in sentence for sentence in found)


def test_another_base_is_a_problem(store, settings):
    with writing(store) as session:
        session.exec(update(Version).values(base_sha256="1" * 64))
    assert any("NAYSAYER_DATA_DIR" in sentence for sentence in problems(settings))


def test_a_model_that_cannot_be_loaded_is_a_problem_beside_the_others(store, settings, tmp_path):
    publish_without_files(store)
    found = problems(settings.model_copy(update={"model": str(tmp_path)}))
    assert len(found) == 3
    assert "could not be loaded as an SDXL pipeline" in found[-1]


def test_a_store_that_cannot_be_opened_is_a_problem(settings):
    settings.data_dir.mkdir()
    (settings.data_dir / "naysayer.db").write_bytes(b"no database" * 100)
    assert "file is not a database" in problems(settings)[-1]


def test_an_empty_prompt_list_is_a_problem_unless_the_model_is_built_in(settings, engine):
    sentence = "no prompt is in use, so nothing can be drawn; `naysayer prompts import FILE` adds some"
    assert sentence not in problems(settings)
    assert sentence in problems(settings.model_copy(update={"model": "/no/such/folder"}))


def test_the_doctor_names_what_the_model_does_not_read_and_writes_nothing(store, settings):
    add_prompts(store, ["a red star above a blue hand, " * 14])
    found = examine(settings.model_copy(update={"negative_prompt": "blurred, " * 60, "prompt_weighting": "off"}))
    said = [finding.sentence for finding in found if finding.is_fine and "does not read" in finding.sentence]
    assert said[0].startswith("the model does not read 1 prompt to its end (it stops before 'above' in 'a red star")
    assert said[1] == "the model does not read the negative prompt to its end (it stops before 'blurred,')"
    assert list_prompts(store)[-1].read_characters is None
    found = examine(settings.model_copy(update={"negative_prompt": "blurred, " * 60}))
    assert not [finding.sentence for finding in found if "does not read" in finding.sentence]


@pytest.mark.parametrize("device", ["cuda:99", "mps"])
def test_a_device_that_is_not_there_is_a_finding_and_the_other_checks_go_on(store, settings, device):
    findings = examine(settings.model_copy(update={"device": device}))
    assert [one.sentence for one in findings if not one.is_fine and f"NAYSAYER_DEVICE is {device}" in one.sentence]
    assert any("the database" in one.sentence for one in findings)


def test_a_data_folder_that_can_only_be_read_is_a_problem(settings, monkeypatch):
    monkeypatch.setattr("os.access", lambda path, mode: mode != os.W_OK)  # root, who runs tests too, may write all
    assert any("can only be read by this user" in sentence for sentence in problems(settings))


def test_a_worker_that_ended_without_a_word_is_a_problem_and_none_at_all_is_only_said(store, settings):
    assert Finding(True, NO_WORKER) in examine(settings)
    with writing(store) as session:
        session.add(Worker(name="w", host="lab-3", state=WorkerState.resting, seen_at=utc_now() - timedelta(minutes=5)))
    gone, none = problems(settings)
    assert gone == "worker on lab-3: no sign of life for 5 min; it ended without a word"
    assert none == NO_WORKER


@pytest.mark.postgres
def test_workers_on_two_machines_without_a_bucket_are_told_what_they_need(settings, postgres_url, base):
    settings = settings.model_copy(update={"store_url": postgres_url})
    engine = open_store(settings)
    for host in ("lab-1", "lab-2"):
        beat(engine, Pulse(Worker(name=host, host=host, state=WorkerState.resting), 0.0))
    engine.dispose()
    said = [finding.sentence for finding in examine(settings)]
    assert any("workers draw on lab-1 and lab-2" in sentence and "NAYSAYER_BLOBS" in sentence for sentence in said)
    assert not any("pooler" in sentence for sentence in said)
