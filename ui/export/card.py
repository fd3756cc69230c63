"""A version in words: its settings beside its parent's, and the model card that goes with its files."""

import json
from pathlib import Path
from typing import NamedTuple

from feedback.recipe import Recipe
from store.tables import Version

OPEN_RAIL = "stabilityai/stable-diffusion-xl-base-1.0"


class Fact(NamedTuple):
    """Something that names or made a version."""

    name: str
    words: str


class Change(NamedTuple):
    """A fact that differs from the parent's; "–" where one of them has none."""

    name: str
    before: str
    now: str


def facts(version: Version) -> list[Fact]:
    """Everything that names or made the version, as words."""
    identity = _identity(version)
    named = {fact.name for fact in identity}  # the rule and strength it draws with, not those that were asked for
    return [*identity, *(fact for fact in _settings(version) if fact.name not in named), *_libraries(version)]


def changes(version: Version, parent: Version | None) -> list[Change]:
    """Settings, code and libraries that differ from a trained parent's."""
    if parent is None or parent.manifest_id is None:
        return []
    before, now = dict(_method(parent)), dict(_method(version))
    compared = [Change(name, before.get(name, "–"), now.get(name, "–")) for name in before | now]
    return [change for change in compared if change.before != change.now]


def _identity(version: Version) -> list[Fact]:
    own: dict[str, object] = {
        "diffusers file, SHA-256": version.sha256,
        "kohya file, SHA-256": version.kohya_sha256,
        "manifest, SHA-256": version.manifest_id,
        "base model": version.base_model,
        "base, SHA-256": version.base_sha256,
        "same LoRA as": None if version.strength_of is None else f"v{version.strength_of}",
        "parent": None if version.parent is None else f"v{version.parent}",
        "rule": version.rule,
        "strength": version.strength,
        "training took": f"{version.train_seconds:.0f} s" if version.train_seconds else None,
        "code": version.code_commit,
    }
    return [Fact(name, str(value)) for name, value in own.items() if value not in (None, "")]


def _settings(version: Version) -> list[Fact]:
    return [
        Fact(name, json.dumps(value, ensure_ascii=False))
        for name, value in sorted(version.settings.items())
        if name != "base_parts"
    ]


def _libraries(version: Version) -> list[Fact]:
    return [Fact(f"{name}, library", number) for name, number in sorted(version.libraries.items())]


def _method(version: Version) -> list[Fact]:
    """How a version was made: what may differ between it and its parent on purpose."""
    made_by = [fact for fact in _identity(version) if fact.name in ("rule", "strength", "code")]
    return [*_settings(version), *made_by, *_libraries(version)]


def model_card(version: Version) -> str:
    """Markdown to go with the files: what it is, how it is used, what made it."""
    lines = "\n".join(f"| {fact.name} | `{_cell(fact.words)}` |" for fact in facts(version))
    return f"""# Naysayer v{version.number}: a negative LoRA

A LoRA for `{_cell(version.base_model)}` that draws what raters rejected. Use it only on the negative half of
guidance: it steers pictures away from what it draws.

- Rule `{version.rule}`, strength {version.strength:g}. In tools without that rule, put it only on the negative prompt;
  on both halves it makes pictures worse.
{_origin(version)}{_text_encoders(version)}{_trigger(version)}
- Whether it helps is measured by blind votes on the same seeds: see the Versions page of the store it comes from.

| | |
| --- | --- |
{lines}
"""


def hub_card(version: Version) -> str:
    """The model card with the front matter that model hubs read: base, licence, tags."""
    base = version.base_model
    front = ["library_name: diffusers", "pipeline_tag: text-to-image"]
    front += ["tags:", *(f"- {tag}" for tag in ("lora", "stable-diffusion-xl", "negative-lora", "naysayer"))]
    if "/" in base and not Path(base).exists():
        front.append(f"base_model: {json.dumps(base)}")
    if base == OPEN_RAIL:
        front.append("license: openrail++")
    elif base == "builtin":
        front.append("license: apache-2.0")
    return "\n".join(["---", *front, "---", "", model_card(version), "## Licence", "", licence(base), ""])


def licence(base: str) -> str:
    """What is known of the licence of a LoRA for this base, in a sentence or two."""
    return {
        OPEN_RAIL: "The base's licence, CreativeML Open RAIL++-M, and its use restrictions apply to this LoRA too.",
        "builtin": "The base is the built-in model of Naysayer, Apache-2.0.",
    }.get(
        base, f"The licence of the base `{base}` may apply to this LoRA too; Naysayer does not know it, so look it up."
    )


def _text_encoders(version: Version) -> str:
    if not Recipe.of(version).lora_text_encoders:
        return ""
    return (
        "\n- It is on both text encoders too: they encode the text with the LoRA only where the UNet uses the LoRA.\n"
        "  A tool that loads only the UNet's part draws something else."
    )


def _trigger(version: Version) -> str:
    """For tools that put the LoRA on both halves: what the trigger word changes. Empty without one."""
    last = version.curve[-1] if version.curve else {}
    if "change_with_trigger" not in last:
        return ""
    with_it, without = last["change_with_trigger"], last["change_without_trigger"]
    return (
        f"\n- Trigger word `{_cell(Recipe.of(version).trigger)}`: with it as the prompt the LoRA changes the base's\n"
        f"  prediction by {with_it:.1%}, on ordinary prompts without it by {without:.1%} (means on held-out pictures)."
    )


def _origin(version: Version) -> str:
    if imported_from := Recipe.of(version).imported_from:
        return (
            f"- It was not trained here: it was imported from `{_cell(imported_from)}`, with alpha folded into\n"
            "  the weights. Ask its maker what it was trained on and under which licence."
        )
    return (
        "- It was trained on pictures that people rejected, drawn by the same base model from a list of prompts.\n"
        "  It reflects only the taste of those people, on those prompts."
    )


def _cell(value: str) -> str:
    return value.replace("`", "'").replace("|", "/").replace("\n", " ")
