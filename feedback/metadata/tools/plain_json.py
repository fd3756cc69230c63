"""JSON with the usual names: RuinedFooocus, Stability Matrix, Spaces of the Hub, scripts, sidecars."""

import re
from collections.abc import Mapping
from typing import Any

from feedback.metadata.found import Draft, Lora
from feedback.metadata.texts import Texts
from feedback.metadata.values import (
    as_dict,
    as_number,
    as_seed,
    as_size,
    as_steps,
    as_text,
    load_json,
    model_name,
    size_in,
    without_loras,
)

PROMPT = ("prompt", "positiveprompt", "positive")
NEGATIVE = ("negativeprompt", "negative", "uc", "promptnegative", "negprompt")
SEED, STEPS = ("seed", "noiseseed", "usedseed"), ("steps", "numinferencesteps", "inferencesteps", "numsteps")
GUIDANCE = ("cfg", "cfgscale", "guidancescale", "guidance", "scale")
MODEL = (
    "model",
    "modelname",
    "basemodelname",
    "basemodel",
    "checkpoint",
    "usestablediffusionmodel",
    "sdmodel",
    "stablediffusionmodel",
    "pretrainedmodelnameorpath",
    "modelid",
)
HASH = ("modelhash", "basemodelhash")


def plain_keys(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values by their names in lower-case letters and digits only."""
    return {re.sub("[^a-z0-9]", "", str(key).lower()): value for key, value in values.items()}


def first(values: Mapping[str, Any], keys: tuple[str, ...]) -> Any:
    """The first value under one of the keys that is not empty."""
    return next((values[key] for key in keys if values.get(key) not in (None, "")), None)


def read(texts: Texts) -> Draft | None:
    """The draft of the first JSON object with a prompt as text, and at least one setting beside it."""
    for bag in texts.bags[1:]:
        values = plain_keys(bag)
        is_ours = isinstance(first(values, PROMPT), str) or (set(PROMPT) & values.keys() and first(values, SEED))
        if is_ours and any(first(values, keys) is not None for keys in (SEED, STEPS, GUIDANCE, NEGATIVE, MODEL)):
            return draft_of(values, _tool(values, texts))
    return None


def _tool(values: Mapping[str, Any], texts: Texts) -> str:
    if "parameters-json" in texts.own:
        return "Stability Matrix"
    return as_text(values.get("software"))[:40] or "JSON"


def draft_of(values: Mapping[str, Any], tool: str) -> Draft:
    """The draft of values by their plain names (`plain_keys`)."""
    prompt, tags = without_loras(as_text(first(values, PROMPT)))
    model = first(values, MODEL)
    seed = as_seed(first(values, SEED))
    inner = plain_keys(as_dict(model))
    scheduler = as_text(first(values, ("scheduler", "schedule")))
    sampler = as_text(first(values, ("sampler", "samplername")))
    return Draft(
        tool,
        prompt=prompt,
        negative_prompt=without_loras(as_text(first(values, NEGATIVE)))[0],
        seed=seed,
        steps=as_steps(first(values, STEPS)),
        sampler=f"{sampler} {scheduler}".strip(),
        guidance_scale=as_number(first(values, GUIDANCE)),
        size=as_size(values.get("width"), values.get("height")) or size_in(first(values, ("resolution", "size"))),
        model=model_name(inner.get("model") or inner.get("name") or inner.get("modelname") or model),
        model_hash=as_text(inner.get("modelhash") or first(values, HASH)).lower(),
        loras=tags + loras_in(values.get("loras")),
        why="" if seed is not None else "its settings name no seed",
    )


def loras_in(value: object) -> list[Lora]:
    """LoRAs as a list of names, of [name, strength], or of objects."""
    found = []
    listed = load_json(value)
    for one in listed if isinstance(listed, list) else []:
        if isinstance(one, str):
            found.append(Lora(model_name(one)))
        elif isinstance(one, list) and one and isinstance(one[0], str):
            found.append(Lora(model_name(one[0]), as_number(one[1]) if len(one) > 1 else None))
        elif isinstance(one, dict):
            values = plain_keys(one)
            name = first(values, ("name", "model", "lora", "file", "modelname"))
            found.append(Lora(model_name(name), as_number(first(values, ("weight", "strength", "scale")))))
    return [lora for lora in found if lora.name and lora.name.lower() != "none"]
