"""A version in words: its settings beside its parent's, and the model card that goes with its files."""

import json
from html import escape
from typing import Any

from store.tables import Version


def facts(version: Version) -> dict[str, str]:
    """Everything that names or made the version, as words."""
    own: dict[str, Any] = {
        "diffusers file, SHA-256": version.sha256,
        "kohya file, SHA-256": version.kohya_sha256,
        "manifest, SHA-256": version.manifest_id,
        "base model": version.base_model,
        "base, SHA-256": version.base_sha256,
        "parent": None if version.parent is None else f"v{version.parent}",
        "rule": version.rule,
        "strength": version.strength,
        "training took": f"{version.train_seconds:.0f} s" if version.train_seconds else None,
        "peak memory": getattr(version, "peak_memory", None),
        "code": version.code_commit,
    }
    rows = {name: str(value) for name, value in own.items() if value not in (None, "")}
    rows |= {name: json.dumps(value, ensure_ascii=False) for name, value in sorted(version.settings.items())}
    return rows | {f"{name}, library": number for name, number in sorted(version.libraries.items())}


def settings_diff(version: Version, parent: Version | None) -> dict[str, tuple[str, str]]:
    """Settings and libraries that differ from the parent's: (the parent's, this one's)."""
    if parent is None or parent.manifest_id is None:
        return {}
    old, new = facts(parent), facts(version)
    names = [f"{name}, library" for name in (*parent.libraries, *version.libraries)]
    compared = dict.fromkeys([*parent.settings, *version.settings, "rule", "strength", "code", *names])
    return {n: (old.get(n, "–"), new.get(n, "–")) for n in compared if old.get(n) != new.get(n)}


def settings_html(version: Version, parent: Version | None = None) -> str:
    """What changed against the parent, then everything."""
    diff = settings_diff(version, parent)
    body = "".join(f"<tr>{_th(name)}{_td(old)}{_td(new)}</tr>" for name, (old, new) in diff.items())
    changed = ""
    if parent is not None and parent.manifest_id is not None:
        head = f"<thead><tr>{_th('changed')}{_th(f'v{parent.number}')}{_th(f'v{version.number}')}</tr></thead>"
        changed = f'<div class="ns-table"><table>{head}<tbody>{body}</tbody></table></div>'
        if not diff:
            changed = f'<p class="ns-data">the settings are those of v{parent.number}</p>'
    rows = "".join(f"<tr>{_th(name)}{_td(value)}</tr>" for name, value in facts(version).items())
    return f'{changed}<div class="ns-table"><table><tbody>{rows}</tbody></table></div>'


def model_card(version: Version) -> str:
    """Markdown to go with the files: what it is, how it is used, what made it."""
    lines = "\n".join(f"| {name} | `{_cell(value)}` |" for name, value in facts(version).items())
    return f"""# Naysayer v{version.number}: a negative LoRA

A LoRA for `{_cell(version.base_model)}` that draws what raters rejected. It is not used like others: it stands on the
negative half of guidance, so that pictures are steered away from what it draws.

- Rule `{version.rule}`, strength {version.strength:g}. In tools without that rule, put it on the negative prompt
  alone; on both halves it makes pictures worse.
{_origin(version)}{_text_encoders(version)}{_trigger(version)}
- Whether it helps is measured by blind votes on the same seeds: see the Versions page of the store it is from.

| | |
| --- | --- |
{lines}
"""


def _text_encoders(version: Version) -> str:
    if not version.settings.get("lora_text_encoders"):
        return ""
    return (
        "\n- It is on both text encoders too: what meets the LoRA reads its text with it, what does not meets the\n"
        "  base's own. A tool that loads the UNet's part alone draws something else."
    )


def _trigger(version: Version) -> str:
    """What tools that put it on both halves need to know, for a version trained under a trigger word."""
    last = version.curve[-1] if version.curve else {}
    if "change_with_trigger" not in last:
        return ""
    with_it, without = last["change_with_trigger"], last["change_without_trigger"]
    return (
        f"\n- Trigger word `{_cell(version.settings['trigger'])}`: with it as the prompt the LoRA changes the base's\n"
        f"  prediction by {with_it:.1%}, on ordinary prompts without it by {without:.1%} (means on held-out pictures)."
    )


def _origin(version: Version) -> str:
    if "imported_from" in version.settings:
        return (
            f"- It was not trained here: it was imported from `{_cell(version.settings['imported_from'])}`, alpha\n"
            "  folded into the weights. What it was trained on, and its own licence, are its maker's to say."
        )
    return (
        "- It was trained on pictures that people thumbed down, drawn by the same base model from a list of prompts.\n"
        "  It knows the taste of those people and those prompts, and nothing else."
    )


def _cell(value: str) -> str:
    return value.replace("`", "'").replace("|", "/").replace("\n", " ")


def _th(word: str) -> str:
    return f'<th scope="row">{escape(word)}</th>'


def _td(word: str) -> str:
    return f'<td class="text"><code>{escape(word)}</code></td>'
