"""Fooocus and its forks: JSON under A1111's key, A1111's own text, or the log beside the picture."""

from collections.abc import Mapping
from typing import Any

from feedback.metadata.files.fooocus_log import PLACE
from feedback.metadata.found import SDXL, Draft, Lora, Mark
from feedback.metadata.texts import Texts
from feedback.metadata.tools.plain_json import draft_of, plain_keys
from feedback.metadata.values import as_dict, as_number, as_text, load_json, model_name

FAST = ("extreme speed", "lightning", "hyper-sd", "lcm", "turbo")


def read(texts: Texts) -> Draft | None:
    """The draft of Fooocus's JSON; what the styles added to the prompt stays in the raw text."""
    logged = as_dict(texts.own.get(PLACE))
    for bag in texts.bags:
        values = plain_keys(bag)
        version, scheme = as_text(values.get("version")), as_text(values.get("metadatascheme"))
        software = as_text(values.get("software"))
        if software == "RuinedFooocus" or scheme == "fooocus" or ("prompt" in values and version.startswith("Fooocus")):
            break
        if "prompt" in values and bag == logged:
            break
        inner = as_dict(bag.get("parameters"))
        if texts.value("fooocus_scheme", "MakerNote") == "fooocus" and "prompt" in inner:
            values, version, software = plain_keys(inner), as_text(inner.get("version")), ""
            break
    else:
        return None
    draft = draft_of(values, software or "Fooocus")
    draft.loras += _combined_loras(values)
    if not software and (not version or version.startswith("Fooocus")):
        draft.base = SDXL  # Fooocus itself draws with nothing else
    styles = load_json(as_text(values.get("styles")).replace("'", '"'))
    if styles or as_text(values.get("promptexpansion") or values.get("fooocusv2expansion")):
        draft.mark(Mark.styled, "styles or the expansion added words to its prompt")
    if as_text(values.get("performance")).lower() in FAST:
        draft.mark(Mark.distilled, f"the performance {values['performance']} distils the model")
    if as_text(values.get("refinermodel")).lower() not in ("", "none"):
        draft.mark(Mark.refined, "a refiner finished it")
    return draft


def _combined_loras(values: Mapping[str, Any]) -> list[Lora]:
    """LoRAs as the log has them: `name.safetensors : 0.5`, under `LoRA 1` or `lora_combined_1`."""
    found = []
    for key, value in values.items():
        name, separator, strength = as_text(value).rpartition(":")
        if key.rstrip("0123456789") in ("lora", "loracombined") and separator:
            found.append(Lora(model_name(name.strip()), as_number(strength.strip())))
    return found
