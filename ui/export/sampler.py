"""ComfyUI's names for the sampler that draws here, and in a sentence what a workflow cannot do as it is done here."""

from typing import NamedTuple

from feedback.recipe import Recipe

KINDS = {
    "EulerDiscreteScheduler": "euler",
    "EulerAncestralDiscreteScheduler": "euler_ancestral",
    "DPMSolverMultistepScheduler": "dpmpp_2m",
    "HeunDiscreteScheduler": "heun",
    "LMSDiscreteScheduler": "lms",
    "DDIMScheduler": "ddim",
}
"""By diffusers' class."""


class Sampler(NamedTuple):
    """What ComfyUI's KSampler is told."""

    name: str
    scheduler: str


def comfyui_sampler(recorded: str, wanted: str | None = None) -> Sampler:
    """The sampler that the settings want, else the recorded one; what ComfyUI lacks is Euler.

    >>> comfyui_sampler("DPMSolverMultistepScheduler leading karras")
    Sampler(name='dpmpp_2m', scheduler='karras')
    >>> comfyui_sampler("EulerDiscreteScheduler trailing"), comfyui_sampler("", "dpmpp_2m_karras")
    (Sampler(name='euler', scheduler='sgm_uniform'), Sampler(name='dpmpp_2m', scheduler='karras'))
    """
    kind, *how = recorded.split() or [""]
    name = wanted.removesuffix("_karras") if wanted else KINDS.get(kind, "euler")
    if "karras" in (wanted.split("_") if wanted else how):
        return Sampler(name, "karras")
    return Sampler(name, "sgm_uniform" if "trailing" in how else "normal")


def unlike_here(recipe: Recipe) -> str:
    """What the workflow does otherwise, in a sentence; empty where it draws as here."""
    kind = recipe.sampler.split(" ")[0]
    lacks = [f"ComfyUI's Euler stands for {kind}, which it lacks"] if kind and kind not in KINDS else []
    lacks += [f"it guides at every noise level, not only at {recipe.guidance_interval}"] * bool(
        recipe.guidance_interval
    )
    return f"Its pictures differ from those drawn here: {', and '.join(lacks)}." if lacks else ""
