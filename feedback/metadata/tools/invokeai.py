"""InvokeAI: `invokeai_metadata` since 3.0; `sd-metadata` and `Dream` before, when it knew no SDXL."""

import re
from typing import Any

from feedback.metadata.bases import declared_base
from feedback.metadata.found import Draft, Lora, Mark
from feedback.metadata.texts import Texts
from feedback.metadata.values import as_dict, as_number, as_seed, as_size, as_steps, as_text, model_name

TOOL = "InvokeAI"
QUOTED = re.compile(r'\s*"((?:\\.|[^"\\])*)"', re.S)
OPTION = re.compile(r"\s-([a-zA-Z])[ =]?([^\s-]\S*)?")
IN_BRACKETS = re.compile(r"\[([^\[\]]*)\]")
PICTURES = ("controlnets", "ipAdapters", "t2iAdapters", "ref_images", "reference_images", "control_layers")


def read(texts: Texts) -> Draft | None:
    """The draft of any generation of InvokeAI."""
    if found := texts.object("invokeai_metadata"):
        return _of_new(found)
    for bag in texts.bags[1:]:
        if "generation_mode" in bag and "positive_prompt" in bag:
            return _of_new(bag)
    if found := texts.object("sd-metadata"):
        return _of_old(found)
    dream = texts.value("Dream", "dream")
    return _of_dream(dream) if isinstance(dream, str) else None


def _of_new(found: dict[str, Any]) -> Draft:
    model = as_dict(found.get("model"))
    prompt, style = as_text(found.get("positive_prompt")), as_text(found.get("positive_style_prompt"))
    mode = as_text(found.get("generation_mode"))
    draft = Draft(
        TOOL,
        prompt=prompt if isinstance(found.get("positive_prompt"), str) else None,
        negative_prompt=as_text(found.get("negative_prompt")),
        prompt_2=style if style != prompt else "",
        seed=as_seed(found.get("seed")),
        steps=as_steps(found.get("steps")),
        sampler=as_text(found.get("scheduler")),
        guidance_scale=as_number(found.get("cfg_scale")),
        size=as_size(found.get("width"), found.get("height")),
        model=model_name(model.get("name") or model.get("model_name") or found.get("model")),
        model_hash=as_text(model.get("hash")),
        base=declared_base(model.get("base") or model.get("base_model") or mode.rpartition("_")[0]),
        loras=_loras(found.get("loras")),
    )
    if draft.prompt is None:
        draft.why = "its metadata name no prompt, only a workflow"
    elif draft.seed is None:
        draft.why = "its metadata name no seed"
    _mark(draft, found, mode)
    return draft


def _mark(draft: Draft, found: dict[str, Any], mode: str) -> None:
    if "inpaint" in mode or "outpaint" in mode:
        draft.mark(Mark.inpainted, "a part of it was drawn again (inpainting)")
    elif "img2img" in mode:
        draft.mark(Mark.img2img, "it began from another picture (img2img)")
    if "upscal" in mode or found.get("upscale_model") or found.get("hrf_enabled") is True:
        draft.mark(Mark.upscaled, "it was upscaled")
    negative, style = (as_text(found.get(key)) for key in ("negative_prompt", "negative_style_prompt"))
    if style and style != negative:
        draft.mark(Mark.two_prompts, "its two text encoders were given different negative prompts")
    if found.get("refiner_model"):
        draft.mark(Mark.refined, "a refiner finished it")
    if any(found.get(key) for key in PICTURES):
        draft.mark(Mark.controlled, "another picture steered it (ControlNet or IP-Adapter)")
    if as_dict(found.get("canvas_v2_metadata")).get("regionalGuidance") or found.get("regions"):
        draft.mark(Mark.regional, "parts of it have their own prompts")


def _loras(value: object) -> list[Lora]:
    listed = [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
    named = [(as_dict(one.get("model") or one.get("lora")), one.get("weight")) for one in listed]
    return [
        Lora(model_name(one.get("name") or one.get("model_name")), as_number(weight)) for one, weight in named if one
    ]


def _of_old(found: dict[str, Any]) -> Draft:
    image = as_dict(found.get("image"))
    parts = image.get("prompt")
    listed = parts if isinstance(parts, list) else [{"prompt": parts}]
    text = " ".join(as_text(one.get("prompt")) for one in listed if isinstance(one, dict)).strip()
    draft = _split(text)
    draft.seed, draft.steps = as_seed(image.get("seed")), as_steps(image.get("steps"))
    draft.sampler, draft.guidance_scale = as_text(image.get("sampler")), as_number(image.get("cfg_scale"))
    draft.size = as_size(image.get("width"), image.get("height"))
    draft.model, draft.model_hash = model_name(found.get("model_weights")), as_text(found.get("model_hash"))
    if re.search(r"diffusion[-_ ]2|\bv?2[.-][01]", draft.model):
        draft.base = "sd2"
    if image.get("type") == "img2img":
        draft.mark(Mark.img2img, "it began from another picture (img2img)")
    later = image.get("postprocessing")
    for one in later if isinstance(later, list) else []:
        is_face = as_text(as_dict(one).get("type")) in ("gfpgan", "codeformer")
        draft.mark(Mark.inpainted if is_face else Mark.upscaled, "it was worked on after it was drawn")
    return draft


def _of_dream(command: str) -> Draft:
    """`"a fox [blurry]" -s 50 -S 1234 -W 512 -H 512 -C 7.5 -A k_lms`: the prompt, then options as at a command line."""
    quoted = QUOTED.match(command)
    end = quoted.end() if quoted else next((one.start() for one in OPTION.finditer(command)), len(command))
    draft = _split(quoted[1].replace('\\"', '"') if quoted else command[:end])
    values = dict(OPTION.findall(command, end))
    draft.seed, draft.steps = as_seed(values.get("S")), as_steps(values.get("s"))
    draft.sampler, draft.guidance_scale = values.get("A", ""), as_number(values.get("C"))
    draft.size = as_size(values.get("W"), values.get("H"))
    if "I" in values:
        draft.mark(Mark.img2img, "it began from another picture (img2img)")
    return draft


def _split(text: str) -> Draft:
    """The prompt without what stands in square brackets, which is the negative one."""
    negative = ", ".join(part.strip() for part in IN_BRACKETS.findall(text))
    prompt = " ".join(IN_BRACKETS.sub(" ", text).split()) if negative else text.strip()
    return Draft(TOOL, prompt=prompt, negative_prompt=negative, base="sd1")
