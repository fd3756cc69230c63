"""NovelAI: a description, and `Comment` with the settings as JSON; only its version 3 is an SDXL."""

import re
from collections.abc import Mapping
from typing import Any

from feedback.metadata.found import SDXL, UNKNOWN, Draft, Mark
from feedback.metadata.texts import Texts
from feedback.metadata.values import as_dict, as_number, as_seed, as_size, as_steps, as_text


def read(texts: Texts) -> Draft | None:
    """The draft of NovelAI's metadata, in PNG, WebP or the alpha channel."""
    for bag in (*texts.bags[1:], texts.own):
        comment = as_dict(bag.get("Comment"))
        is_novelai = as_text(bag.get("Software")).startswith("NovelAI")
        if (is_novelai and comment) or {"uc", "scale"} <= comment.keys() or {"v4_prompt", "uc"} & comment.keys():
            return _of(bag, comment)
    return None


def _of(bag: Mapping[str, Any], comment: Mapping[str, Any]) -> Draft:
    caption = as_dict(as_dict(comment.get("v4_prompt")).get("caption"))
    negative = as_dict(as_dict(comment.get("v4_negative_prompt")).get("caption"))
    source = as_text(bag.get("Source"))
    described = (
        as_text(comment.get("prompt")) or as_text(caption.get("base_caption")) or as_text(bag.get("Description"))
    )
    seed = as_seed(comment.get("seed"))
    schedule = as_text(comment.get("noise_schedule"))
    draft = Draft(
        "NovelAI",
        prompt=described,
        negative_prompt=as_text(comment.get("uc")) or as_text(negative.get("base_caption")),
        seed=seed,
        steps=as_steps(comment.get("steps")),
        sampler=f"{as_text(comment.get('sampler'))} {schedule}".strip(),
        guidance_scale=as_number(comment.get("scale")),
        size=as_size(comment.get("width"), comment.get("height")),
        model=source,
        base=_base(source, is_v4="v4_prompt" in comment),
        why="" if seed is not None else "its settings name no seed",
    )
    if caption.get("char_captions"):
        draft.mark(Mark.regional, "its characters have their own prompts")
    kind = as_text(comment.get("request_type"))
    if "Infill" in kind:
        draft.mark(Mark.inpainted, "a part of it was drawn again (inpainting)")
    elif "Img2Img" in kind or as_number(comment.get("strength")) is not None:
        draft.mark(Mark.img2img, "it began from another picture (img2img)")
    if comment.get("reference_strength_multiple") or comment.get("controlnet_model"):
        draft.mark(Mark.controlled, "another picture steered it")
    return draft


def _base(source: str, *, is_v4: bool) -> str:
    if "Stable Diffusion XL" in source:
        return SDXL
    if found := re.search(r"NovelAI Diffusion V(\d)", source):
        return SDXL if found[1] == "3" else "sd1" if found[1] in "12" else "novelai"
    if is_v4:
        return "novelai"
    return "sd1" if source.startswith("Stable Diffusion") else UNKNOWN
