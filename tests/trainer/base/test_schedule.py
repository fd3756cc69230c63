from dataclasses import replace
from pathlib import Path

import pytest
from diffusers import DPMSolverMultistepScheduler, EulerAncestralDiscreteScheduler, EulerDiscreteScheduler

from feedback.sample.work import Job
from tests.trainer.conftest import quick_settings
from trainer.base.model import load_base
from trainer.base.schedule import choose_scheduler
from trainer.sample.sampler import sample_latents


def test_another_sampler_is_recorded_and_is_the_same_base(base):
    chosen = load_base(quick_settings(Path("unused"), scheduler="dpmpp_2m_karras"))
    assert chosen.plain.conditions.scheduler == "DPMSolverMultistepScheduler leading karras"
    assert base.plain.conditions.scheduler == "EulerDiscreteScheduler leading"
    assert chosen.sha256 == base.sha256
    assert chosen.sampling["sampler"] == "DPMSolverMultistepScheduler leading karras"


def test_dpm_solver_draws_what_euler_draws_in_many_steps(base):
    """Both follow the same equation from the same noise."""
    drawing, own = replace(base.plain, num_inference_steps=40), base.pipe.scheduler
    euler = sample_latents(base, [Job("a big red star", 1)], drawing)
    steps = []
    pipe = type(base.pipe).from_pipe(base.pipe, scheduler=choose_scheduler(own, "dpmpp_2m_karras"))
    other = sample_latents(replace(base, pipe=pipe), [Job("a big red star", 1)], drawing, on_step=steps.append)
    assert float((other - euler).norm() / euler.norm()) < 0.15
    assert len(steps) == 40


def test_a_glimpse_of_dpm_solver_is_its_own_clean_picture(base):
    glimpses = []
    pipe = type(base.pipe).from_pipe(base.pipe, scheduler=choose_scheduler(base.pipe.scheduler, "dpmpp_2m"))
    final = sample_latents(
        replace(base, pipe=pipe), [Job("a red cat", 3)], base.plain, on_step=lambda now: glimpses.append(now.glimpse())
    )
    away = [float((glimpse - final).norm() / final.norm()) for glimpse in glimpses]
    assert away[-1] == pytest.approx(0, abs=1e-3)
    assert away[0] > away[-1]


@pytest.mark.parametrize(
    ("wanted", "kind"), [("euler", EulerDiscreteScheduler), ("dpmpp_2m", DPMSolverMultistepScheduler)]
)
def test_a_sampler_keeps_the_models_own_noise_schedule_and_prediction(wanted, kind):
    own = EulerAncestralDiscreteScheduler(beta_start=0.001, beta_end=0.01, prediction_type="v_prediction")
    chosen = choose_scheduler(own, wanted)
    assert type(chosen) is kind
    for name in ("beta_start", "beta_end", "prediction_type", "num_train_timesteps"):
        assert chosen.config[name] == own.config[name]
    assert choose_scheduler(own, None) is own
