"""A1111 and those that write as it does: Forge and its forks, SD.Next, Civitai, TensorArt, savers of ComfyUI."""

import re

from feedback.metadata.bases import declared_base, pipeline_base
from feedback.metadata.found import SDXL, Draft, Lora, Mark
from feedback.metadata.texts import Texts
from feedback.metadata.tools.fooocus import FAST
from feedback.metadata.tools.infotext import Infotext, model_in_resources, parse
from feedback.metadata.values import (
    as_dict,
    as_number,
    as_seed,
    as_steps,
    as_text,
    load_json,
    model_name,
    size_in,
    without_loras,
)

VERSIONS = (
    (r"classic.*", "Forge Classic"),
    (r"neo.*", "Forge Neo"),
    (r"f[\d.]+v\d+-v1.*", "reForge"),
    (r"f\d.*", "Forge"),
    (r"ComfyUI.*", "ComfyUI"),
    (r"Fooocus.*", "Fooocus"),
    (r"Naysayer.*", "Naysayer"),
    (r"Easy ?Diffusion.*", "Easy Diffusion"),
)
UPSCALED = (
    "hires upscale",
    "hires scale",
    "hires resize",
    "hires size",
    "hires upscaler",
    "hires steps",
    "postprocess upscale by",
    "postprocess upscaler",
    "upscale by",
    "upscaler",
    "ultimate sd upscale upscaler",
    "tiled upscale",
)
INPAINTED = (
    "mask blur",
    "inpaint area",
    "masked content",
    "masked area padding",
    "inpainting fill",
    "soft inpainting enabled",
)
CONTROLLED = re.compile(r"(controlnet|control) ?\d*( .*)?|control (mode|model)|ip.?adapter.*|t2i.*|reference enabled")
NO_PROMPT = ("unknown", "undefined", "null", "none")
"""What savers of ComfyUI write when nobody gave them the prompt."""


def read(texts: Texts) -> Draft | None:
    """The draft of the first text with settings as A1111 writes them, else of one with a negative prompt."""
    parsed = [parse(text) for _, text in texts.alone()]
    with_settings = [one for one in parsed if _has_settings(one)]
    if with_settings:
        draft = draft_of(with_settings[0])
        draft.tool = "Stability Matrix" if {"parameters-json", "smproj"} & texts.own.keys() else draft.tool
        return draft
    return next((draft_of(one) for one in parsed if one.negative_prompt is not None), None)


def _has_settings(one: Infotext) -> bool:
    return "steps" in one.settings or sum(key in one.settings for key in ("seed", "sampler", "cfg scale", "size")) >= 2


def draft_of(one: Infotext) -> Draft:
    """The draft of a parsed text."""
    prompt, loras = without_loras(one.prompt)
    negative, _ = without_loras(one.negative_prompt or "")
    draft = Draft(
        _tool(one),
        prompt=prompt,
        negative_prompt=negative,
        seed=as_seed(one.get("seed")),
        steps=as_steps(one.get("steps")),
        sampler=_sampler(one),
        guidance_scale=as_number(one.get("cfg scale", "guidance")),
        size=size_in(one.get("size")),
        model=model_name(one.get("model"))
        or as_text(model_in_resources(one.get("civitai resources")).get("modelName")),
        model_hash=one.get("model hash").lower(),
        loras=loras or _loras(one),
    )
    civitai = as_dict(one.get("civitai metadata"))
    if pipeline := one.get("pipeline"):
        draft.base = pipeline_base(pipeline)
    elif ecosystem := as_text(civitai.get("ecosystem") or civitai.get("baseModel")):
        draft.base = declared_base(ecosystem)
    elif draft.tool == "Fooocus":
        draft.base = SDXL  # it draws with nothing else
    elif one.get("distilled cfg scale") and as_number(one.get("cfg scale")) == 1:
        draft.base = "flux"
    if prompt.lower() in NO_PROMPT and draft.tool == "ComfyUI":
        draft.prompt, draft.negative_prompt, draft.seed, draft.size = None, "", None, None
        draft.why = f"the saver was not given the prompt and wrote {prompt!r}"
    elif draft.seed is None:
        draft.why = "its settings name no seed"
    _mark(draft, one)
    _mark_workflow(draft, as_text(civitai.get("workflow")).lower())
    return draft


def _tool(one: Infotext) -> str:
    if one.get("app").lower().startswith("sd.next"):
        return "SD.Next"
    if any(key.startswith("civitai ") for key in one.settings):
        return "Civitai"
    version = one.get("version")
    return next((tool for pattern, tool in VERSIONS if re.fullmatch(pattern, version, re.I)), "A1111")


def _sampler(one: Infotext) -> str:
    sampler, schedule = one.get("sampler"), one.get("schedule type", "scheduler", "sampler sigma")
    return sampler if not schedule or schedule.lower() in ("automatic", "default") else f"{sampler} {schedule}".strip()


def _loras(one: Infotext) -> list[Lora]:
    """LoRAs that the settings name: by their strength, by their hash, or as Civitai's resources."""
    weights = [part.rpartition(":") for part in one.get("lora weights").split(",") if ":" in part]
    if weights:
        return [Lora(name.strip(), as_number(weight)) for name, _, weight in weights]
    if hashes := one.get("lora hashes"):
        return [Lora(part.split(":")[0].strip()) for part in hashes.split(",") if part.strip()]
    listed = load_json(one.get("civitai resources"))
    named = [found for found in listed if isinstance(found, dict)] if isinstance(listed, list) else []
    return [
        Lora(as_text(found["modelName"]), as_number(found.get("weight")))
        for found in named
        if str(found.get("type")).lower() in ("lora", "locon", "lycoris", "dora") and as_text(found.get("modelName"))
    ]


def _mark(draft: Draft, one: Infotext) -> None:
    operations = one.get("operations").lower()
    if script := one.get("script"):
        if re.search("plot|matrix|grid|x/y", script, re.I):
            draft.is_grid = f"the script {script[:40]} made it"
        else:
            draft.mark(Mark.img2img, f"the script {script[:40]} had a part in it")
    is_hires = any(key in one.settings for key in UPSCALED) or "upscale" in operations or "hires" in operations
    if any(key in one.settings for key in INPAINTED) or "inpaint" in operations:
        draft.mark(Mark.inpainted, "a part of it was drawn again (inpainting)")
    elif "img2img" in operations or (one.get("denoising strength") and not is_hires):
        draft.mark(Mark.img2img, "it began from another picture (img2img)")
    if is_hires:
        draft.mark(Mark.upscaled, "it was upscaled")
    _mark_helpers(draft, one)


def _mark_workflow(draft: Draft, workflow: str) -> None:
    """Marks what Civitai's own word for the work says."""
    if "img2img" in workflow:
        draft.mark(Mark.img2img, "it began from another picture (img2img)")
    if re.search("hires|upscale|enhance", workflow):
        draft.mark(Mark.upscaled, "it was upscaled")
    if re.search("face|edit|inpaint", workflow):
        draft.mark(Mark.inpainted, "parts of it were drawn again")


def _mark_helpers(draft: Draft, one: Infotext) -> None:
    if any(key.startswith("adetailer") for key in one.settings) or "detailer" in one.get("operations").lower():
        draft.mark(Mark.inpainted, "ADetailer drew parts of it again")
    if one.get("face restoration"):
        draft.mark(Mark.inpainted, "its faces were restored")
    is_split = one.get("rp active").lower() == "true" or re.search(r"\b(ADDCOMM|ADDCOL|ADDROW|ADDBASE)\b", one.prompt)
    if is_split or re.search(r"\sAND\s", one.prompt) or "forge couple" in one.settings:
        draft.mark(Mark.regional, "parts of it have their own prompts")
    if any(CONTROLLED.fullmatch(key) for key in one.settings):
        draft.mark(Mark.controlled, "another picture steered it (ControlNet)")
    if one.get("styles", "prompt expansion") not in ("", "[]") and draft.tool == "Fooocus":
        draft.mark(Mark.styled, "styles or the expansion added words to its prompt")
    if one.get("performance").lower() in FAST:
        draft.mark(Mark.distilled, f"the performance {one.get('performance')} distils the model")
    if one.get("refiner"):
        draft.mark(Mark.refined, "a refiner finished it")
