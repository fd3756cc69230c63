"""The one ComfyUI workflow that draws as a version does here."""

from pathlib import PurePath

from feedback.recipe import Recipe
from store.settings import Settings
from store.tables import Version
from ui.export.comfyui_workflow import (
    Example,
    Workflow,
    build_negative_half,
    build_same_prompt,
    build_with_trigger,
)
from ui.export.programs import kohya_name
from ui.export.sampler import comfyui_sampler

USUAL_CHECKPOINT = "sd_xl_base_1.0.safetensors"
GUIDANCE_SCALE, STEPS, SIDE_PX = 6.0, 30, 1024
"""Where the settings leave it to the model."""


def build_workflow(settings: Settings, version: Version) -> Workflow:
    """The workflow of the version's own rule, with its strength, trigger word and text encoders."""
    recipe, scale = Recipe.of(version), settings.guidance_scale or GUIDANCE_SCALE
    negative = settings.negative_prompt if recipe.negative_prompt is None else recipe.negative_prompt
    example = Example(
        lora=kohya_name(version),
        checkpoint=checkpoint_name(version.base_model),
        prompt="a photo of a red fox in the snow",
        guidance_scale=scale,
        num_inference_steps=settings.num_inference_steps or recipe.num_inference_steps or STEPS,
        width=settings.width_px or SIDE_PX,
        height=settings.height_px or SIDE_PX,
        has_text_encoders=recipe.lora_text_encoders,
        sampler=comfyui_sampler(recipe.sampler, settings.scheduler),
    )
    match recipe.rule:
        case "woolf":
            return build_with_trigger(example, recipe.strength, recipe.trigger_word)
        case "same-prompt":
            grown = example._replace(guidance_scale=scale + recipe.guidance_gain * recipe.strength)
            return build_same_prompt(grown, recipe.strength, negative)
    return build_negative_half(example, recipe.strength, negative)


def checkpoint_name(base_model: str) -> str:
    """The base as ComfyUI may know it.

    >>> checkpoint_name("/models/juggernaut.safetensors"), checkpoint_name("a/b")
    ('juggernaut.safetensors', 'sd_xl_base_1.0.safetensors')
    """
    name = PurePath(base_model).name
    return name if name.endswith(".safetensors") else USUAL_CHECKPOINT
