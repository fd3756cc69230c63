"""SwarmUI: `sui_image_params`, in the file or beside it."""

import re
from typing import Any

from feedback.metadata.bases import declared_base
from feedback.metadata.found import Draft, Lora, Mark
from feedback.metadata.texts import Texts
from feedback.metadata.values import as_dict, as_number, as_seed, as_size, as_steps, as_text, model_name, without_loras

PARTS = re.compile(r"<(segment|region|object)[:\[]", re.I)


def read(texts: Texts) -> Draft | None:
    """The draft of SwarmUI's parameters."""
    found = texts.object("sui_image_params")
    if not found:
        return None
    prompt, tags = without_loras(as_text(found.get("prompt")))
    sampler = " ".join(filter(None, (as_text(found.get("sampler")), as_text(found.get("scheduler")))))
    draft = Draft(
        "SwarmUI",
        prompt=prompt,
        negative_prompt=without_loras(as_text(found.get("negativeprompt")))[0],
        seed=as_seed(found.get("seed")),
        steps=as_steps(found.get("steps")),
        sampler=sampler,
        guidance_scale=as_number(found.get("cfgscale")),
        size=as_size(found.get("width"), found.get("height")),
        model=model_name(found.get("model")),
        model_hash=_hash(texts),
        loras=tags + _loras(found),
        base=declared_base(found.get("architecture") or found.get("modelarchitecture")),
    )
    if draft.seed is None:
        draft.why = "its parameters name no seed"
    _mark(draft, found, as_text(found.get("prompt")))
    return draft


def _hash(texts: Texts) -> str:
    models = texts.value("sui_models")
    listed = [one for one in models if isinstance(one, dict)] if isinstance(models, list) else []
    return next((as_text(one.get("hash")) for one in listed if one.get("param") == "model"), "")


def _loras(found: dict[str, Any]) -> list[Lora]:
    names, weights = (
        value.split(",") if isinstance(value, str) else value
        for value in (found.get("loras"), found.get("loraweights"))
    )
    if not isinstance(names, list):
        return []
    strengths = [*map(as_number, weights)] if isinstance(weights, list) else []
    strengths += [None] * (len(names) - len(strengths))
    return [Lora(model_name(name), strength) for name, strength in zip(names, strengths, strict=False) if as_text(name)]


def _mark(draft: Draft, found: dict[str, Any], prompt: str) -> None:
    if found.get("maskimage"):
        draft.mark(Mark.inpainted, "a part of it was drawn again (inpainting)")
    elif found.get("initimage") or as_number(found.get("initimagecreativity")) is not None:
        draft.mark(Mark.img2img, "it began from another picture (img2img)")
    if (as_number(found.get("refinerupscale")) or 1) > 1 or as_dict(found).get("upscale"):
        draft.mark(Mark.upscaled, "it was upscaled")
    if found.get("refinermodel") or found.get("refinermethod"):
        draft.mark(Mark.refined, "a refiner finished it")
    if PARTS.search(prompt):
        draft.mark(Mark.regional, "parts of it have their own prompts")
    if any(key.startswith(("controlnet", "promptimages", "ipadapter", "useipadapter")) for key in found):
        draft.mark(Mark.controlled, "another picture steered it (ControlNet or IP-Adapter)")
