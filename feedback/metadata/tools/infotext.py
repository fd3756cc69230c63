"""The text that A1111 writes, cut into prompt, negative prompt and settings.

Source: AUTOMATIC1111/stable-diffusion-webui, modules/infotext_utils.py.
"""

import json
import re
from typing import NamedTuple

from feedback.metadata.values import load_json

KEY = re.compile(r"\s*([A-Za-z][\w \-/+.&()]{0,60}?):[ \t]*")
NEXT = re.compile(r",\s*(?=[A-Za-z][\w \-/+.&()]{0,60}?:[ \t])|,\s*$")
SETTINGS_LINE = re.compile(r"^[ \t]*Steps: *\d+ *(,|$)", re.M)
SETTINGS_INSIDE = re.compile(r"[ ,.]Steps: *\d+, *(?=[A-Z][\w ]*: )")
NEGATIVE_LINE = re.compile(r"^[ \t]*Negative prompt:[ \t]?", re.M)
NEGATIVE_INSIDE = re.compile(r"[ ,.]Negative prompt:[ \t]?")
KNOWN = ("seed", "sampler", "cfg scale", "size", "model", "model hash", "version")
MOST_SETTINGS = 400


class Infotext(NamedTuple):
    """The three parts; `settings` by key in lower case, the first of several. `has_line`: there are settings."""

    prompt: str
    negative_prompt: str | None
    settings: dict[str, str]

    def get(self, *keys: str) -> str:
        """The first setting of these keys; empty without any."""
        return next((self.settings[key] for key in keys if key in self.settings), "")


def parse(text: str) -> Infotext:
    """The parts of a text. Only its last settings line counts: a prompt may hold what looks like one."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    start, is_inside = _find_settings(text)
    head, settings = text[:start], parse_settings(text[start:])
    found = NEGATIVE_LINE.search(head)
    if found is None and (is_inside or not head.count("\n")):
        found = next(reversed([*NEGATIVE_INSIDE.finditer(head)]), None)
    if found is None:
        return Infotext(head.strip(), None, settings)
    return Infotext(head[: found.start()].strip(), head[found.end() :].strip(), settings)


def _find_settings(text: str) -> tuple[int, bool]:
    """Where the settings begin (at the text's end: nowhere), and whether in the middle of a line."""
    lines = [*SETTINGS_LINE.finditer(text)]
    if lines:
        return lines[-1].start(), False
    start = text.rstrip().rfind("\n") + 1
    last = parse_settings(text[start:])
    if len(last) >= 3 and next(iter(last)) in KNOWN and sum(key in KNOWN for key in last) >= 2:
        return start, False
    inside = [*SETTINGS_INSIDE.finditer(text)]
    return (inside[-1].start() + 1, True) if inside else (len(text), False)


def parse_settings(line: str) -> dict[str, str]:
    r"""Settings by key. A value may be quoted or JSON, with commas and colons inside.

    >>> parse_settings('Steps: 20, RP Ratios: "1,1", Hashes: {"model": "4a, b: c"}, ADetailer Version: 2, Version: f1')
    {'steps': '20', 'rp ratios': '1,1', 'hashes': '{"model": "4a, b: c"}', 'adetailer version': '2', 'version': 'f1'}
    """
    found: dict[str, str] = {}
    place = 0
    while len(found) < MOST_SETTINGS and (key := KEY.match(line, place)):
        value, place = _value(line, key.end())
        found.setdefault(key[1].strip().lower(), value)
        place = place + 1 if line[place : place + 1] == "," else place
    return found


def _value(line: str, start: int) -> tuple[str, int]:
    """A value and where it ends."""
    if line[start : start + 1] in ('"', "[", "{"):
        try:
            value, end = json.JSONDecoder(strict=False).raw_decode(line, start)
        except (ValueError, RecursionError):
            pass
        else:
            return (value if isinstance(value, str) else line[start:end]), end
    following, line_end = NEXT.search(line, start), line.find("\n", start)
    stop = min(following.start() if following else len(line), line_end if line_end >= 0 else len(line))
    return line[start:stop].strip(), stop


def model_in_resources(text: str) -> dict[str, str]:
    """The checkpoint among Civitai's resources; empty without one."""
    listed = load_json(text)
    found = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    return next((one for one in found if str(one.get("type")).lower() == "checkpoint"), {})
