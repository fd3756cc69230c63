"""Where a version's LoRA works, in the words of somebody who uses that program: pure functions."""

from typing import NamedTuple

from feedback.recipe import Recipe
from store.tables import Version
from ui.export.card import licence
from ui.export.sampler import unlike_here

BUILTIN = "builtin"
FITS_ONLY = (
    "v{} was trained on the built-in model and fits only that: ComfyUI, A1111, Forge and InvokeAI cannot load the "
    "built-in model, and on a real SDXL checkpoint this LoRA is of no use."
)
ON_BOTH = "A1111, Forge, InvokeAI"
WHY_NOT = (
    "These programs put a LoRA on both halves of the guidance; v{} belongs on one, so there it makes pictures worse. "
    "Use ComfyUI, or train a version with a trigger word: `naysayer set objective trigger`, `naysayer set rule woolf`, "
    "and retrain."
)
NO_BUILTIN = "They cannot load the built-in model. Train on a real SDXL checkpoint to use your versions there."


class Guide(NamedTuple):
    """How a version is used in a program: what to do and an example, or with `works` False why not."""

    program: str
    works: bool
    how: str
    code: str = ""


def fits_only_builtin(version: Version) -> bool:
    return version.base_model == BUILTIN


def kohya_name(version: Version) -> str:
    return f"naysayer-v{version.number}-kohya.safetensors"


def workflow_name(version: Version) -> str:
    return f"naysayer-v{version.number}-workflow.json"


def other_guides(version: Version) -> list[Guide]:
    """How the version is used outside ComfyUI, program by program."""
    return [*_on_both_halves(version), _diffusers(version)]


def _on_both_halves(version: Version) -> list[Guide]:
    """For programs that put a LoRA on both halves: only a trigger word in the negative prompt tells them apart."""
    if fits_only_builtin(version):
        return [Guide(ON_BOTH, False, NO_BUILTIN)]
    if not Recipe.of(version).has_trigger:
        return [Guide(ON_BOTH, False, WHY_NOT.format(version.number))]
    word, strength = Recipe.of(version).trigger_word, strength_on_both(version)
    name = kohya_name(version).removesuffix(".safetensors")
    prompts = f"prompt: <lora:{name}:{strength:g}> a red fox\nnegative prompt: {word}"
    managed = f"Add the file in the model manager, give the LoRA the weight {strength:g}, and write its trigger word:"
    return [
        Guide("A1111 and Forge", True, "Put the file into models/Lora, then name it and its trigger word:", prompts),
        Guide("InvokeAI", True, managed, f"negative prompt: {word}"),
    ]


def _diffusers(version: Version) -> Guide:
    recipe = Recipe.of(version)
    if recipe.rule == "woolf":
        code = (
            f'pipe.load_lora_weights("{diffusers_name(version)}", adapter_name="negative")\n'
            f'pipe.set_adapters("negative", {recipe.strength:g})\n'
            f'pipe("a red fox", negative_prompt="{recipe.trigger_word}")'
        )
        return Guide("diffusers", True, "Load it as any LoRA, with its trigger word as the negative prompt.", code)
    if recipe.lora_text_encoders:
        how = "diffusers puts a LoRA on both halves, and v{} is on the text encoders too; draw with `naysayer draw`."
        return Guide("diffusers", False, how.format(version.number))
    code = (
        "from pathlib import Path\n"
        "from trainer.lora.tensors import attach_file\n"
        "from trainer.sample.guidance import steered\n\n"
        f'attach_file(pipe, Path("{diffusers_name(version)}"), "negative")\n'
        f'with steered(pipe.unet, "negative", "{recipe.rule}", {recipe.strength:g}):\n'
        f'    pipe("a red fox"{_guidance(recipe)})'
    )
    return Guide(
        "diffusers",
        True,
        "diffusers puts a LoRA on both halves; Naysayer's code puts it where it belongs.",
        code,
    )


def _guidance(recipe: Recipe) -> str:
    """Under same-prompt the guidance scale grows with the strength."""
    if recipe.rule != "same-prompt" or not recipe.guidance_gain:
        return ""
    return f", guidance_scale=6.0 + {recipe.guidance_gain * recipe.strength:g}"


def diffusers_name(version: Version) -> str:
    return f"naysayer-v{version.number}-diffusers.safetensors"


def strength_on_both(version: Version) -> float:
    """The strength on both halves: the version's own where it was measured so, else 1."""
    return version.strength if version.rule == "woolf" else 1.0


def how_in_comfyui(version: Version) -> str:
    """The README.txt of the zip for ComfyUI."""
    lines = [f"Naysayer v{version.number} in ComfyUI", ""]
    lines += [f"{place}. {step}" for place, step in enumerate(steps_in_comfyui(version), start=1)]
    if fits_only_builtin(version):
        lines += ["", FITS_ONLY.format(version.number)]
    return "\n".join([*lines, "", licence(version.base_model), ""])


def steps_in_comfyui(version: Version) -> list[str]:
    """What to do with the zip, step by step."""
    recipe = Recipe.of(version)
    refined = "; it leaves out the refiner, with which pictures are drawn here" if recipe.refiner else ""
    return [
        f"Put {kohya_name(version)} into ComfyUI/models/loras.",
        f"Drop {workflow_name(version)} onto ComfyUI's page{refined}.",
        f'In "model", choose your checkpoint of {version.base_model}, the base of v{version.number}.',
        _write_the_prompt(recipe),
        _change_the_strength(recipe),
        *filter(None, [unlike_here(recipe)]),
    ]


def _write_the_prompt(recipe: Recipe) -> str:
    if recipe.rule == "woolf":
        return (
            f'Write your prompt into "positive", and leave the trigger word “{recipe.trigger_word}” in "negative": the '
            "LoRA works by it."
        )
    if recipe.rule == "same-prompt" and recipe.lora_text_encoders:
        return 'Write your prompt into "positive" and into "same prompt, read with lora", the same in both.'
    return 'Write your prompt into "positive".'


def _change_the_strength(recipe: Recipe) -> str:
    measured = f"The strength {recipe.strength:g}, as drawn here, is filled in; more steers harder"
    if recipe.rule == "same-prompt":
        return f'{measured}. In "guider" it is the difference of cfg_conds and cfg_cond2_negative.'
    return f'{measured}. In "{"model with lora" if recipe.rule == "woolf" else "hook"}" it is strength_model.'
