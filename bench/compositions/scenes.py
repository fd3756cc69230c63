"""What a prompt can ask for: several things at once. The words for them, and how to read them back."""

import re
from dataclasses import dataclass
from functools import cache
from itertools import permutations, product
from typing import NamedTuple

import numpy as np

from bench.compositions.palette import BACKGROUNDS, COLOURS

SUBJECTS = ("count", "pair", "relation", "face")
SHAPES = ("circle", "square", "triangle", "star")
NUMBERS = ("one", "two", "three", "four", "five", "six")
RELATIONS = {
    "above": ("above", "over"),
    "below": ("below", "under"),
    "left": ("to the left of", "left of"),
    "right": ("to the right of", "right of"),
}
MOUTHS = {"smile": ("smiling", "happy"), "frown": ("frowning", "sad")}
WEAR = {"": "", "hat": " with a hat", "glasses": " with glasses"}
DETAILS: dict[str, tuple[str, ...]] = {
    "count": NUMBERS,
    "pair": ("",),
    "relation": tuple(RELATIONS),
    "face": tuple(f"{mouth} {worn}".strip() for mouth, worn in product(MOUTHS, WEAR)),
}
"""What else a prompt asks of each subject."""

FRAMES = ("{t} on a {b} background", "{t}, {b} background", "a picture of {t} on {b}", "{t} against a {b} backdrop")
SAME_WORDS = {
    "over": "above", "under": "below", "happy": "smile", "smiling": "smile", "sad": "frown", "frowning": "frown",
    **{str(number + 1): word for number, word in enumerate(NUMBERS)},
    **{shape + "s": shape for shape in SHAPES},
}  # fmt: skip


class Thing(NamedTuple):
    """A shape in its colour; a face's shape is "face"."""

    colour: str
    shape: str


@dataclass(frozen=True)
class Scene:
    """One thing that can be asked for. `things` are one for a count or a face, else two; `detail` is of DETAILS."""

    subject: str
    things: tuple[Thing, ...]
    background: str
    detail: str = ""


@cache
def all_scenes(subject: str | None = None) -> tuple[Scene, ...]:
    """Every scene of the world, or of one subject, in a fixed order. Two things differ in both colour and shape."""
    subjects = SUBJECTS if subject is None else (subject,)
    return tuple(
        Scene(s, things, background, detail)
        for s in subjects
        for detail in DETAILS[s]
        for things in _groups(s)
        for background in BACKGROUNDS
    )


def phrasings(scene: Scene) -> tuple[str, ...]:
    """Every prompt that `phrase` may return for a scene."""
    return tuple(frame.format(t=words, b=scene.background) for frame in FRAMES for words in WORDS[scene.subject](scene))


def phrase(scene: Scene, rng: np.random.Generator) -> str:
    """A plain-English prompt for a scene, one of `phrasings(scene)`."""
    options = phrasings(scene)
    return options[rng.integers(len(options))]


def read_prompt(prompt: str) -> Scene | None:
    """The scene that a prompt asks for, or None when it does not name exactly one.

    Case, punctuation and articles do not matter.

    >>> read_prompt("3 RED circles on white!")
    Scene(subject='count', things=(Thing(colour='red', shape='circle'),), background='white', detail='three')
    """
    text = re.sub(r"sky[\s-]+blue", "sky", prompt.lower())
    words = [SAME_WORDS.get(word, word) for word in re.findall(r"[a-z0-9]+", text)]
    grounds = [word for word in words if word in BACKGROUNDS]
    colours = [word for word in words if word in COLOURS]
    shapes = [word for word in words if word in SHAPES or word == "face"]
    if len(set(grounds)) != 1 or len(colours) != len(shapes):
        return None
    things = tuple(Thing(*pair) for pair in zip(colours, shapes, strict=True))
    known = {word for details in DETAILS.values() for detail in details for word in detail.split()}
    detail = " ".join(sorted({word for word in words if word in known}, key=words.index))
    for subject in SUBJECTS:
        if things in _groups(subject) and (found := _detail(subject, detail)) is not None:
            return Scene(subject, things, grounds[0], found)
    return None


def default_prompts(per_subject: int = 33) -> list[str]:
    """Distinct prompts, `per_subject` for each subject in turn; always the same list."""
    rng = np.random.default_rng(2027)
    columns = [_prompts_of(subject, per_subject, rng) for subject in SUBJECTS]
    return [prompt for row in zip(*columns, strict=True) for prompt in row]


@cache
def _groups(subject: str) -> tuple[tuple[Thing, ...], ...]:
    if subject == "face":
        return tuple((Thing(colour, "face"),) for colour in COLOURS)
    things = [Thing(colour, shape) for colour, shape in product(COLOURS, SHAPES)]
    if subject == "count":
        return tuple((thing,) for thing in things)
    return tuple((a, b) for a, b in permutations(things, 2) if a.colour != b.colour and a.shape != b.shape)


def _detail(subject: str, words: str) -> str | None:
    """The subject's detail that has these words, in whatever order."""
    return next((detail for detail in DETAILS[subject] if set(detail.split()) == set(words.split())), None)


def _prompts_of(subject: str, count: int, rng: np.random.Generator) -> list[str]:
    scenes = all_scenes(subject)
    return [phrase(scenes[k], rng) for k in rng.permutation(len(scenes))[:count]]


def _count_words(scene: Scene) -> tuple[str, ...]:
    colour, shape = scene.things[0]
    plural = shape if scene.detail == "one" else shape + "s"
    return f"{scene.detail} {colour} {plural}", f"exactly {scene.detail} {colour} {plural}"


def _pair_words(scene: Scene) -> tuple[str, ...]:
    first, second = (f"a {colour} {shape}" for colour, shape in scene.things)
    return f"{first} and {second}", f"{first} next to {second}"


def _relation_words(scene: Scene) -> tuple[str, ...]:
    first, second = (f"a {colour} {shape}" for colour, shape in scene.things)
    return tuple(f"{first} {words} {second}" for words in RELATIONS[scene.detail])


def _face_words(scene: Scene) -> tuple[str, ...]:
    mouth, worn = (*scene.detail.split(), "")[:2]
    colour = scene.things[0].colour
    adjectives = [f"a {word} {colour} face{WEAR[worn]}" for word in MOUTHS[mouth]]
    noun = f"a {colour} face with a {mouth}"
    return (*adjectives, noun + WEAR[worn].replace(" with", " and"))


WORDS = {"count": _count_words, "pair": _pair_words, "relation": _relation_words, "face": _face_words}
