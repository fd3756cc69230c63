"""What a prompt can ask for: scenes, the words for them, and how to read a scene from words."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from trainer.world.palette import BACKGROUNDS, COLOURS

DETAILS: dict[str, tuple[str, ...]] = {
    "hand": ("",),
    "flower": ("four", "six"),
    "star": ("big", "small"),
    "sign": ("GO", "HI", "OK", "UP"),
    "house": ("", "chimney"),
    "cat": ("", "bow"),
}
"""Each subject, and what else a prompt may ask of it ("" asks nothing more)."""

SUBJECTS = tuple(DETAILS)

THINGS: dict[tuple[str, str], tuple[str, ...]] = {
    ("hand", ""): ("{c} hand", "{c} hand with five fingers", "{c} open hand"),
    ("flower", "four"): ("{c} flower with four petals", "{c} four-petal flower"),
    ("flower", "six"): ("{c} flower with six petals", "{c} six-petal flower"),
    ("star", "big"): ("big {c} star", "large {c} star with five points"),
    ("star", "small"): ("small {c} star", "little {c} star with five points"),
    ("house", ""): ("{c} house", "{c} house with a door and two windows"),
    ("house", "chimney"): ("{c} house with a chimney", "{c} house, with a door and a chimney"),
    ("cat", ""): ("{c} cat", "{c} cat face"),
    ("cat", "bow"): ("{c} cat with a bow", "{c} cat wearing a bow tie"),
}
SIGNS = ('{c} sign that says "{w}"', "{c} sign with the word {w}", "{c} sign reading {w}")
FRAMES = (
    "{a} {t} on a {b} background",
    "{a} {t}, {b} background",
    "a picture of {a} {t} against a {b} backdrop",
    "a drawing of {a} {t} on {b}",
)
SAME_WORDS = {
    "large": "big", "huge": "big", "little": "small", "tiny": "small", "4": "four", "6": "six",
    "violet": "purple", "bowtie": "bow", "kitten": "cat", "hands": "hand",
}  # fmt: skip


@dataclass(frozen=True)
class Scene:
    """One thing that can be asked for. `detail` is one of DETAILS[subject]."""

    subject: str
    colour: str
    background: str
    detail: str = ""


def all_scenes(subject: str | None = None) -> tuple[Scene, ...]:
    """Every scene of the world, or of one subject, in a fixed order."""
    subjects = SUBJECTS if subject is None else (subject,)
    return tuple(
        Scene(s, colour, background, detail)
        for s in subjects
        for detail in DETAILS[s]
        for colour in COLOURS
        for background in BACKGROUNDS
    )


def phrasings(scene: Scene) -> tuple[str, ...]:
    """Every prompt that `phrase` may return for a scene."""
    return tuple(_frame(f, t, scene.background) for f in FRAMES for t in _things(scene))


def phrase(scene: Scene, rng: np.random.Generator) -> str:
    """A plain-English prompt for a scene, one of `phrasings(scene)`."""
    options = phrasings(scene)
    return options[rng.integers(len(options))]


def read_prompt(prompt: str) -> Scene | None:
    """The scene that a prompt asks for, or None when it does not name exactly one.

    Case, punctuation and articles do not matter.

    >>> read_prompt("An ORANGE sign reading 'go' on sky blue!")
    Scene(subject='sign', colour='orange', background='sky', detail='GO')
    """
    text = re.sub(r"sky[\s-]+blue", "sky", prompt.lower())
    words = [SAME_WORDS.get(w, w) for w in re.findall(r"[a-z0-9]+", text)]
    subject, colour = _only(words, SUBJECTS), _only(words, COLOURS)
    background = _only(words, BACKGROUNDS)
    if subject is None or colour is None or background is None:
        return None
    detail = _only(words, [d.lower() for d in DETAILS[subject] if d])
    if detail is None and "" not in DETAILS[subject]:
        return None
    return Scene(subject, colour, background, _spelling(subject, detail or ""))


def default_prompts(per_subject: int = 33) -> list[str]:
    """Distinct prompts, `per_subject` for each subject in turn; always the same list."""
    rng = np.random.default_rng(2026)
    columns = [_prompts_of(subject, per_subject, rng) for subject in SUBJECTS]
    return [prompt for row in zip(*columns, strict=True) for prompt in row]


def write_prompts(path: Path) -> None:
    """Writes the default prompts, one a line, UTF-8."""
    path.write_text("\n".join(default_prompts()) + "\n", encoding="utf-8")


def _prompts_of(subject: str, count: int, rng: np.random.Generator) -> list[str]:
    prompts = _shuffled_phrases(subject, rng)
    seen: dict[str, None] = {}
    while len(seen) < count:
        seen[next(prompts)] = None
    return list(seen)


def _shuffled_phrases(subject: str, rng: np.random.Generator) -> Iterator[str]:
    scenes = all_scenes(subject)
    while True:
        for index in rng.permutation(len(scenes)):
            yield phrase(scenes[index], rng)


def _things(scene: Scene) -> list[str]:
    forms = SIGNS if scene.subject == "sign" else THINGS[scene.subject, scene.detail]
    return [form.format(c=scene.colour, w=scene.detail) for form in forms]


def _frame(frame: str, thing: str, background: str) -> str:
    article = "an" if thing[0] in "aeiou" else "a"
    return frame.format(a=article, t=thing, b=background)


def _only(words: list[str], choices) -> str | None:
    found = {w for w in words if w in choices}
    return found.pop() if len(found) == 1 else None


def _spelling(subject: str, detail: str) -> str:
    return detail.upper() if subject == "sign" else detail
