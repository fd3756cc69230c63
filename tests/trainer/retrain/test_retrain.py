import os
import shutil
import signal
import time
from collections.abc import Callable

import pytest
import torch
from sqlalchemy import Engine
from sqlmodel import select

from feedback.rate.queue import next_images
from feedback.rate.terms import Terms
from feedback.rate.votes import Press, record_votes
from feedback.retrain.manifest import load_manifest
from feedback.retrain.progress import Progress, progress_of
from feedback.retrain.stages import Phase, phases_of
from feedback.sample.work import Job
from feedback.versions import champion, get_version
from store.engine import reading
from store.errors import Busy, DamagedStore, NonFiniteLoss, TooFewRejects
from store.files import only_one, sha256_of_file
from store.layout import layout_of
from store.migrate import open_store
from store.settings import Settings
from store.tables import Alias, Image, ManifestItem, Run, RunStatus, Verdict
from tests.trainer.children import DONE, OUR_ERROR, retrain_child, run, start
from tests.trainer.conftest import quick_settings
from tests.trainer.left import folders, get_run_count, last_run, published, wait_for_step
from tests.waiting import PATIENCE_S
from trainer.base.model import load_base
from trainer.lora.formats import DIFFUSERS_FILE, KOHYA_FILE
from trainer.retrain import retrain as retraining
from trainer.retrain.cross_fit import ENCODING
from trainer.retrain.importing import import_lora
from trainer.retrain.retrain import retrain
from trainer.retrain.strength import TRYING
from trainer.sample.sampler import Sampler
from trainer.sample.worker import generate


def test_too_few_new_rejects_is_not_due_and_says_how_many_are_missing(rated):
    result = retrain(rated.model_copy(update={"retrain_after": 1000}))
    assert result.version is None
    assert "12 new rejects, 1000 needed; 988 more to go" in result.sentence
    assert published(rated) == []


def test_a_retrain_that_is_asked_for_and_refused_is_told_as_a_failed_one(tmp_path):
    settings = quick_settings(tmp_path / "empty")
    with pytest.raises(TooFewRejects):
        retrain(settings, force=True)
    told = last_run(settings)
    assert told.status is RunStatus.failed
    assert "0 rejects in the pool, 1 needed" in told.message


def test_a_due_retrain_publishes_a_challenger_that_loads_and_draws(rated):
    assert retrain(rated).version == 1
    (version,) = published(rated)
    assert folders(rated) == {version.sha256}
    assert not layout_of(rated).checkpoints.exists()
    engine = open_store(rated)
    assert champion(engine).number == 0
    drawn = Sampler(load_base(rated), layout_of(rated)).draw(version, [Job("a red star", 3)])
    assert drawn[0].png.startswith(b"\x89PNG")
    with reading(engine) as session:
        aliases = {alias.name.value: alias.version for alias in session.exec(select(Alias))}
    engine.dispose()
    assert aliases == {"champion": 0, "challenger": 1}
    assert version.curve[-1]["step"] == rated.train_steps
    assert version.libraries["torch"] == torch.__version__
    assert version.settings["lora_rank"] == rated.lora_rank
    assert version.settings["sampler"] == "EulerDiscreteScheduler leading"
    assert version.parent == 0
    assert last_run(rated).status is RunStatus.done
    assert "not due: 0 new rejects" in retrain(rated).sentence


def test_a_retrain_tells_every_phase_with_a_bar_for_each_and_keeps_what_they_took(rated, capfd):
    retrain(rated)
    engine = open_store(rated)
    told = progress_of(engine, last_run(rated).id)
    engine.dispose()
    assert [phase.phase for phase in phases_of(told.stages)] == [
        phase for phase in Phase if phase not in (Phase.turn, Phase.halves)
    ]
    assert all(stage.is_over for stage in told.stages)
    assert all(stage.seconds > 0 for stage in told.stages if stage.work)
    assert told.curve[-1]["step"] == rated.train_steps
    assert [point["strength"] for point in told.strengths] == [
        point["strength"] for point in published(rated)[0].strength_curve
    ]
    said = capfd.readouterr().err
    assert "encoding" in said
    for stage in told.stages:
        assert stage.work == 0 or stage.phase is Phase.encoding or f"{stage.name}: " in said


def test_a_retrain_takes_by_itself_three_steps_for_each_rated_picture(rated):
    own = {"train_steps": 0, "train_batch": 2, "checkpoint_every": 99, "lora_layers": "attention", "strength": 1.0}
    number = retrain(rated.model_copy(update=own), force=True).version
    engine = open_store(rated)
    version = get_version(engine, number)
    steps = 3 * len(load_manifest(engine, version.manifest_id).items)
    assert version.curve[-1]["step"] == version.settings["train_steps"] == steps


@pytest.mark.slow
def test_with_auto_retrain_the_version_is_promoted(rated):
    settings = rated.model_copy(update={"auto_retrain": True})
    retrain(settings)
    engine = open_store(settings)
    assert champion(engine).number == 1
    engine.dispose()


@pytest.mark.slow
def test_both_published_files_load_into_a_fresh_pipeline_and_agree(retrained):
    (version,) = published(retrained)
    outputs = []
    for name in (DIFFUSERS_FILE, KOHYA_FILE):
        pipe = load_base(retrained).pipe
        pipe.load_lora_weights(layout_of(retrained).version_folder(version.sha256), weight_name=name)
        outputs.append(
            pipe(
                "a red star", num_inference_steps=2, generator=torch.Generator().manual_seed(0), output_type="pt"
            ).images
        )
    plain = load_base(retrained).pipe(
        "a red star", num_inference_steps=2, generator=torch.Generator().manual_seed(0), output_type="pt"
    )
    torch.testing.assert_close(outputs[0], outputs[1], atol=1e-4, rtol=1e-3)
    assert not torch.equal(outputs[0], plain.images)


@pytest.mark.slow
def test_votes_during_a_retrain_do_not_change_what_it_trains_on(rated):
    engine = open_store(rated)
    generate(rated, once=True)
    more = next_images(engine, "bob", Terms(1, 60), count=8)
    child = start(retrain_child, rated.model_copy(update={"train_steps": 12}))
    wait_for_step(rated, 1)
    presses = [Press(f"late-{image.image_id}", image.image_id, Verdict.reject) for image in more]
    record_votes(engine, "bob", presses, Terms(1, 60))
    child.join(PATIENCE_S)
    (version,) = published(rated)
    manifest = load_manifest(engine, version.manifest_id)
    with reading(engine) as session:
        lineage = set(
            session.exec(select(ManifestItem.image_id).where(ManifestItem.manifest_id == version.manifest_id))
        )
    engine.dispose()
    assert lineage == {item.image_id for item in manifest.items}
    assert len(lineage) == 24
    assert not lineage & {image.image_id for image in more}


@pytest.mark.slow
def test_a_failed_retrain_says_why_and_leaves_no_version(rated):
    with pytest.raises(NonFiniteLoss, match="at step 2"):
        retrain(rated.model_copy(update={"learning_rate": 1e30}))
    assert published(rated) == []
    assert folders(rated) == set()
    assert last_run(rated).status is RunStatus.failed
    assert "at step 2" in last_run(rated).message
    assert retrain(rated).version == 1


def test_while_one_retrain_runs_another_gives_way_at_once(rated):
    started = time.monotonic()
    with only_one(layout_of(rated).retrain_lock, "held by the test"), pytest.raises(Busy, match="another retrain runs"):
        retrain(rated)
    assert time.monotonic() - started < 10  # a busy machine; by itself a tenth of a second


@pytest.mark.slow
def test_the_same_pool_and_settings_give_the_same_file_in_another_store(retrained, rated_template, tmp_path):
    shutil.copytree(rated_template, tmp_path / "other")
    other = retrained.model_copy(update={"data_dir": tmp_path / "other"})
    retrain(other)
    assert published(retrained)[0].sha256 == published(other)[0].sha256


@pytest.mark.slow
def test_what_an_interrupted_publish_left_is_removed(rated):
    left = layout_of(rated).versions / ".staging-0123456789abcdef"
    left.mkdir(parents=True)
    (left / DIFFUSERS_FILE).write_bytes(b"half")
    retrain(rated)
    assert folders(rated) == {published(rated)[0].sha256}


def lose(settings: Settings, image_id: int, *columns: str) -> None:
    """Removes the files of a picture."""
    engine = open_store(settings)
    with reading(engine) as session:
        image = session.get_one(Image, image_id)
    engine.dispose()
    for column in columns:
        layout_of(settings).blobs.path(getattr(image, column)).unlink()


def test_a_retrain_goes_on_without_lost_files_and_names_their_pictures(rated, caplog):
    lose(rated, 1, "latent_sha256")
    lose(rated, 2, "latent_sha256", "sha256")
    lose(rated, 3, "sha256")
    result = retrain(rated)
    assert result.sentence.endswith("trained on 23 rated pictures; picture 2 is left out, because its files are lost")
    assert "picture 2 is left out" in caplog.text
    (version,) = published(rated)
    engine = open_store(rated)
    trained = {item.image_id for item in load_manifest(engine, version.manifest_id).items}
    engine.dispose()
    assert {1, 3} <= trained
    assert 2 not in trained


@pytest.mark.slow
def test_an_interrupted_retrain_whose_picture_was_lost_starts_again_without_it(rated, caplog):
    interrupt_at(rated.model_copy(update={"train_steps": 40}), 3)
    lose(rated, 2, "latent_sha256", "sha256")
    assert "picture 2 is left out" in retrain(rated).sentence
    assert "cannot go on and starts again" in caplog.text
    (version,) = published(rated)
    assert last_run(rated).manifest_id == version.manifest_id
    assert get_run_count(rated) == 1


def interrupt_at(settings: Settings, step: int) -> None:
    child = start(retrain_child, settings)
    wait_for_step(settings, step)
    os.kill(child.pid, signal.SIGTERM)
    child.join(PATIENCE_S)
    assert last_run(settings).status is RunStatus.interrupted


def stopped_in(settings: Settings, stage: str) -> None:
    """A retrain that gets SIGTERM once that stage is under way."""
    recorder = retraining.recorder

    def recording(engine: Engine, run: Run) -> Callable[[Progress], None]:
        record = recorder(engine, run)

        def tell(told: Progress) -> None:
            record(told)
            if told.current and told.current.name == stage:
                os.kill(os.getpid(), signal.SIGTERM)

        return tell

    retraining.recorder = recording
    retrain_child(settings)


@pytest.mark.slow
@pytest.mark.parametrize("stage", [ENCODING, TRYING])
def test_sigterm_stops_a_retrain_in_any_stage_and_the_next_goes_on_to_the_same_bytes(rated, retrained_template, stage):
    assert run(stopped_in, rated, stage) == OUR_ERROR
    assert last_run(rated).message.startswith(f"stopped while {stage}; ")
    assert last_run(rated).status is RunStatus.interrupted
    assert run(retrain_child, rated) == DONE
    assert published(rated)[0].sha256 == published(quick_settings(retrained_template))[0].sha256
    assert get_run_count(rated) == 1


@pytest.mark.slow
def test_a_damaged_checkpoint_starts_the_run_again_with_a_sentence(rated, rated_template, tmp_path, caplog):
    shutil.copytree(rated_template, tmp_path / "unbroken")
    settings = rated.model_copy(update={"train_steps": 12, "checkpoint_every": 3})
    interrupt_at(settings, 5)
    (state,) = layout_of(settings).checkpoints.rglob("state.safetensors")
    data = bytearray(state.read_bytes())
    data[-100] ^= 1
    state.write_bytes(data)
    assert retrain(settings).version == 1
    assert "is damaged or incomplete, so the fit starts again" in caplog.text
    unbroken = settings.model_copy(update={"data_dir": tmp_path / "unbroken"})
    retrain(unbroken)
    assert published(settings)[0].sha256 == published(unbroken)[0].sha256


@pytest.mark.parametrize("force", [True, False])
def test_a_retrain_beside_a_lost_database_deletes_nothing(retrained, force):
    (folder,) = folders(retrained)
    for path in retrained.data_dir.glob("naysayer.db*"):
        path.rename(retrained.data_dir.parent / path.name)
    with pytest.raises(DamagedStore, match="naysayer restore"):
        retrain(retrained, force=force)
    with pytest.raises(DamagedStore, match="naysayer restore"):
        import_lora(retrained, layout_of(retrained).versions / folder / KOHYA_FILE)
    with pytest.raises(DamagedStore, match="naysayer restore"):
        generate(retrained, once=True)
    assert folders(retrained) == {folder}
    assert sha256_of_file(layout_of(retrained).versions / folder / DIFFUSERS_FILE) == folder


@pytest.mark.slow
def test_a_whole_retrain_works_in_bf16(rated):
    # In a separate process: accelerate's precision is fixed once for a process.
    assert run(retrain_child, rated.model_copy(update={"dtype": "bf16"})) == DONE
