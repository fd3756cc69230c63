import json
import os
import shutil

import pytest
from sqlmodel import select

from feedback.check.halves import half_of
from feedback.check.version_check import How, VersionCheck
from feedback.retrain.manifest import load_manifest
from feedback.retrain.progress import progress_of
from feedback.retrain.stages import FIT, Phase
from store.engine import reading
from store.layout import layout_of
from store.migrate import open_store
from store.tables import PictureScore, Role, Version
from tests.trainer.children import DONE, EXITED_AT_STEP, retrain_child, run
from tests.trainer.conftest import quick_settings
from tests.trainer.fitting import cache_of, frozen
from tests.trainer.left import last_run, published
from trainer.fit.training import Training
from trainer.lora.formats import DIFFUSERS_FILE
from trainer.lora.tensors import TRAINED
from trainer.retrain.check import learn_check
from trainer.retrain.cross_fit import FIRST_SEED, halves_of, jobs_of
from trainer.retrain.publish import CHECK_FILE
from trainer.sample.check import CHECK


@pytest.fixture
def crossing(rated):
    return rated.model_copy(update={"cross_fit": True})


@pytest.fixture(scope="module")
def crossed(rated_template, tmp_path_factory):
    """The settings of a store on which a cross-fitted v1 was trained, for tests that only look at it."""
    folder = tmp_path_factory.mktemp("crossed") / "data"
    shutil.copytree(rated_template, folder)
    settings = quick_settings(folder, cross_fit=True)
    assert run(retrain_child, settings) == DONE
    return settings


def training_of(settings, base) -> Training:
    with frozen(settings, base) as manifest:
        return Training(base, cache_of(settings, base), manifest, settings)


def scores_of(settings) -> dict[int, float]:
    engine = open_store(settings)
    with reading(engine) as session:
        rows = list(session.exec(select(PictureScore)))
    engine.dispose()
    assert all(row.version == 1 and row.is_out_of_sample for row in rows)
    return {row.image_id: row.score for row in rows}


def test_each_half_judges_the_pictures_of_prompts_that_the_other_has_not_seen(crossing, base):
    training = training_of(crossing, base)
    halves = halves_of(training)
    assert len(halves) == 2
    for half in halves:
        trained = {item.prompt for item in half.training.manifest.items}
        assert trained
        assert not trained & {item.prompt for item in half.others}
        assert len(half.training.manifest.items) + len(half.others) == len(training.manifest.items)
        assert len({half_of(prompt) for prompt in trained}) == 1
        assert half.training.settings.train_steps == crossing.train_steps // 2


def test_without_cross_fitting_or_with_a_half_without_rejects_there_are_no_halves(rated, crossing, base):
    assert halves_of(training_of(rated, base)) == []
    whole = training_of(crossing, base)
    items = tuple(item for item in whole.manifest.items if item.role is Role.keep or half_of(item.prompt))
    one_sided = Training(base, whole.cache, type(whole.manifest)(base.sha256, items), crossing)
    assert halves_of(one_sided) == []


def test_the_pictures_of_the_check_are_of_held_out_prompts_first_and_of_no_other_seed(rated, base):
    training = training_of(rated, base)
    jobs, manifest = jobs_of(training), training.manifest
    assert len({job.seed for job in jobs}) == len(jobs) == 3 * rated.sweep_pictures
    assert min(job.seed for job in jobs) == FIRST_SEED > max(item.seed for item in manifest.items)
    assert {job.prompt for job in jobs} <= {item.prompt for item in manifest.items}


def test_a_retrain_publishes_its_check_with_a_score_for_every_rated_picture(crossed):
    (version,) = published(crossed)
    check = VersionCheck.of(version)
    assert check is not None
    assert check.auc is not None and check.auc.n == 24
    assert check.own_pictures == (3 * crossed.sweep_pictures if check.is_on else 0)
    if check.is_on:
        asked = [point for point in version.strength_curve if "expected" in point]
        assert asked and all(point["passes"] == (point["expected"] < 0) for point in asked)
    assert check.how == How.at(CHECK.timesteps, CHECK.noises, check.how.weights)
    assert json.loads((layout_of(crossed).version_folder(version.sha256) / CHECK_FILE).read_text()) == version.check
    engine = open_store(crossed)
    manifest = load_manifest(engine, version.manifest_id)
    assert scores_of(crossed).keys() == {item.image_id for item in manifest.items}
    assert last_run(crossed).step == last_run(crossed).steps
    stages = progress_of(engine, version.run_id).stages
    assert [stage.name for stage in stages if stage.phase is Phase.halves] == [
        "drawing for the check",
        *(f"{what} half {number} of 2" for number in (1, 2) for what in ("fitting", "scoring with")),
    ]
    assert all(stage.is_over for stage in stages)
    assert all(stage.done == stage.work for stage in stages if stage.kind == FIT)
    engine.dispose()
    assert not layout_of(crossed).checkpoints.exists()


@pytest.mark.slow
def test_cross_fitting_changes_nothing_in_the_published_lora(rated, crossed):
    assert run(retrain_child, rated) == DONE
    assert published(rated)[0].sha256 == published(crossed)[0].sha256


def exit_at(settings, fit_number: int, step: int) -> None:
    """A retrain whose process ends in that step of that fit."""
    from trainer.fit.learner import Learner

    fits = [0]
    begin, take = Learner.__init__, Learner.step

    def counted(self, *given) -> None:
        fits[0] += 1
        self.steps_taken = 0
        begin(self, *given)

    def step_or_end(self) -> None:
        self.steps_taken += 1
        if (fits[0], self.steps_taken) == (fit_number, step):
            os._exit(EXITED_AT_STEP)
        take(self)

    Learner.__init__, Learner.step = counted, step_or_end  # type: ignore[method-assign]
    retrain_child(settings)


@pytest.mark.slow
@pytest.mark.parametrize(("fit_number", "step"), [(1, 3), (2, 1), (3, 5)])
def test_a_retrain_killed_in_any_fit_resumes_to_the_same_bytes(crossing, crossed, fit_number, step):
    assert run(exit_at, crossing, fit_number, step) == EXITED_AT_STEP
    assert published(crossing) == []
    assert run(retrain_child, crossing) == DONE
    ours, theirs = published(crossing)[0], published(crossed)[0]
    assert (ours.sha256, ours.check) == (theirs.sha256, theirs.check)
    for name in (DIFFUSERS_FILE, CHECK_FILE):
        files = [layout_of(s).version_folder(ours.sha256) / name for s in (crossing, crossed)]
        assert files[0].read_bytes() == files[1].read_bytes()
    assert scores_of(crossing) == scores_of(crossed)


def test_without_halves_the_held_out_votes_count_and_are_too_few(rated, taught):
    training = training_of(rated, taught)
    found = learn_check(training, None)
    assert not found.check.is_on
    assert "it was not trained on" in found.check.off
    assert all(one.item.split.value == "held_out" for one in found.scored)
    assert TRAINED in taught.pipe.unet.peft_config


def test_a_version_row_without_a_check_is_null(rated):
    engine = open_store(rated)
    with reading(engine) as session:
        assert session.exec(select(Version.check)).all() == [None]
    engine.dispose()
