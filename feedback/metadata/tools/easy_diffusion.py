"""Easy Diffusion: one keyword for each setting, JSON, or a text of lines."""

import re

from feedback.metadata.found import Draft, Mark
from feedback.metadata.texts import Texts
from feedback.metadata.tools.plain_json import draft_of, loras_in, plain_keys
from feedback.metadata.values import as_number, as_text, model_name

OWN = {"usestablediffusionmodel", "stablediffusionmodel"}
LINE = re.compile(r"^([A-Z][\w -]{2,40}): ?(.*)$")


def read(texts: Texts) -> Draft | None:
    """The draft of Easy Diffusion's settings."""
    lines = [(LINE.match(line) for line in text.splitlines()) for _, text in texts.alone()]
    named = [{found[1]: found[2] for found in some if found} for some in lines]
    for bag in (*texts.bags, *named):
        values = plain_keys(bag)
        if "prompt" in values and OWN & values.keys():
            return _of(values)
    return None


def _of(values: dict[str, object]) -> Draft:
    draft = draft_of(values, "Easy Diffusion")
    if as_text(values.get("useloramodel")):
        draft.loras += loras_in([[model_name(values["useloramodel"]), as_number(values.get("loraalpha"))]])
    if values.get("initimage") or as_number(values.get("promptstrength")) is not None:
        draft.mark(Mark.img2img, "it began from another picture (img2img)")
    if as_text(values.get("useupscale")).lower() not in ("", "none", "false"):
        draft.mark(Mark.upscaled, "it was upscaled")
    if as_text(values.get("usefacecorrection")).lower() not in ("", "none", "false"):
        draft.mark(Mark.inpainted, "its faces were restored")
    if values.get("controlimage") or values.get("usecontrolnetmodel"):
        draft.mark(Mark.controlled, "another picture steered it (ControlNet)")
    return draft
