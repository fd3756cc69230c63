"""Easy Diffusion: one keyword for each setting, JSON, or a text of lines."""

import re
from itertools import zip_longest

from feedback.metadata.found import Draft, Lora, Mark
from feedback.metadata.texts import Texts
from feedback.metadata.tools.plain_json import draft_of, plain_keys
from feedback.metadata.values import as_number, as_text, load_json, model_name

OWN = {"usestablediffusionmodel", "stablediffusionmodel"}
NOTHING = ("", "none", "null", "false", "[]")
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
    draft.loras += _loras(values.get("useloramodel"), values.get("loraalpha"))
    values = {name: value for name, value in values.items() if str(value).lower() not in NOTHING}
    if values.get("initimage") or as_number(values.get("promptstrength")) is not None:
        draft.mark(Mark.img2img, "it began from another picture (img2img)")
    if values.get("useupscale"):
        draft.mark(Mark.upscaled, "it was upscaled")
    if values.get("usefacecorrection"):
        draft.mark(Mark.inpainted, "its faces were restored")
    if values.get("controlimage") or values.get("usecontrolnetmodel"):
        draft.mark(Mark.controlled, "another picture steered it (ControlNet)")
    return draft


def _loras(names: object, strengths: object) -> list[Lora]:
    """One LoRA, or lists of names and strengths, which may be written as Python writes them."""
    listed, weights = (
        load_json(value.replace("'", '"')) if isinstance(value, str) and value.startswith("[") else value
        for value in (names, strengths)
    )
    listed = listed if isinstance(listed, list) else [listed]
    weights = weights if isinstance(weights, list) else [weights]
    pairs = zip_longest(listed, weights[: len(listed)])
    return [Lora(model_name(name), as_number(weight)) for name, weight in pairs if as_text(name).lower() not in NOTHING]
