"""The base's scheduler, set to what the model predicts."""

import inspect
from typing import Any

from diffusers import DDPMScheduler, DPMSolverMultistepScheduler, EulerDiscreteScheduler
from torch import Tensor

from store.errors import ModelError
from trainer.base.declared import EPSILON, Prediction, V

CONSISTENCY = ("LCMScheduler", "TCDScheduler")
"""Of distilled models, which are refused with their own sentence."""
DPM = {"algorithm_type": "dpmsolver++", "solver_order": 2, "solver_type": "midpoint"}
SAMPLERS: dict[str, tuple[Any, dict[str, Any]]] = {
    "euler": (EulerDiscreteScheduler, {"use_karras_sigmas": False}),
    "dpmpp_2m": (DPMSolverMultistepScheduler, DPM | {"use_karras_sigmas": False}),
    "dpmpp_2m_karras": (DPMSolverMultistepScheduler, DPM | {"use_karras_sigmas": True}),
}
"""By the setting's word: DPM-Solver++ (Lu et al. 2022) of second order, with the noise levels of Karras et al. 2022."""


def set_prediction(scheduler: Any, prediction: Prediction) -> Any:
    """The scheduler with that prediction; what it leaves open stays as configured.

    Zero-terminal SNR needs trailing timesteps, or the pure noise that it begins from is never drawn (Lin et al. 2024).
    """
    changes: dict[str, Any] = {}
    if prediction.type:
        changes["prediction_type"] = prediction.type
    if prediction.is_zero_snr is not None and prediction.is_zero_snr != _is_zero_snr(scheduler):
        changes["rescale_betas_zero_snr"] = prediction.is_zero_snr
        changes["timestep_spacing"] = "trailing" if prediction.is_zero_snr else "leading"
    if prediction.spacing:
        changes["timestep_spacing"] = prediction.spacing
    if all(scheduler.config.get(name) == value for name, value in changes.items()):
        return scheduler
    kind = type(scheduler)
    if not changes.keys() <= inspect.signature(kind.__init__).parameters.keys():
        kind = EulerDiscreteScheduler
    return kind.from_config(scheduler.config, **changes)


def choose_scheduler(scheduler: Any, wanted: str | None) -> Any:
    """The sampler of SAMPLERS with the model's own noise schedule; without a wish the model's own."""
    if wanted is None:
        return scheduler
    kind, how = SAMPLERS[wanted]
    return kind.from_config(scheduler.config, **how)


def scheduler_words(config: Any, kind: str) -> str:
    """A scheduler as the conditions of a picture record it.

    >>> scheduler_words({"timestep_spacing": "leading", "use_karras_sigmas": True}, "DPMSolverMultistepScheduler")
    'DPMSolverMultistepScheduler leading karras'
    """
    return " ".join(filter(None, [kind, config.get("timestep_spacing"), config.get("use_karras_sigmas") and "karras"]))


def training_target(noising: DDPMScheduler, latents: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
    """What the UNet is trained to predict of noised latents: the noise, or the velocity (Salimans and Ho 2022)."""
    if noising.config.prediction_type == V:
        return noising.get_velocity(latents, noise, timesteps)
    return noise


def _is_zero_snr(scheduler: Any) -> bool:
    return bool(scheduler.config.get("rescale_betas_zero_snr"))


def refuse_other_schedules(name: str, scheduler: Any) -> None:
    """Raises ModelError for a noise schedule or a prediction that the training does not know."""
    kind, how = type(scheduler).__name__, scheduler.config
    if kind in CONSISTENCY:
        return
    if kind.startswith("EDM") or "FlowMatch" in kind or "num_train_timesteps" not in how or "beta_start" not in how:
        raise ModelError(
            f"{name!r} has the scheduler {kind}, whose noise schedule cannot be trained here; "
            "epsilon or v-prediction on SDXL's own schedule was needed"
        )
    if how.get("prediction_type", EPSILON) not in (EPSILON, V):
        raise ModelError(
            f"{name!r} is configured to predict {how['prediction_type']!r}; only epsilon and v_prediction can be drawn "
            "and trained; set NAYSAYER_PREDICTION_TYPE if the configuration is wrong"
        )
