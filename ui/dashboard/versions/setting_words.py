"""Settings of a version in people's words."""

import json
import re

from store.settings import Settings

NAMES = {
    "code": "program (commit)",
    "dtype": "precision",
    "lora_rank": "rank of the LoRA",
    "rule": "rule it draws by",
    "train_batch": "pictures in a training batch",
    "train_steps": "training steps",
    "vae": "VAE",
}


def setting_name(name: str) -> str:
    """A setting's name without underscores.

    >>> setting_name("train_steps"), setting_name("min_timestep"), setting_name("torch, library")
    ('training steps', 'min timestep', 'torch, library')
    """
    return NAMES.get(name, name.replace("_", " ").replace("lora", "LoRA"))


def setting_meaning(name: str) -> str:
    """What a setting does, as the settings page says it; empty for what is none."""
    field = Settings.model_fields.get(name)
    return field.description or "" if field else ""


def setting_value(words: str) -> str:
    """A recorded value as a person reads it; the card keeps it as JSON. Of a commit, the first letters tell.

    >>> setting_value("true"), setting_value("null"), setting_value('"nft"'), setting_value("0.3"), setting_value("–")
    ('yes', 'none', 'nft', '0.3', '–')
    """
    if re.fullmatch("[0-9a-f]{40}", words):
        return words[:8]
    try:
        value = json.loads(words)
    except json.JSONDecodeError:
        return words
    if value is None or value == "":
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return str(value) if isinstance(value, str) else words
