"""The judge: what is wrong with a picture, from only its pixels and its prompt.

It does not know how a picture was made: it reads drawn and generated ones the same way.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from PIL import Image

from trainer.world.drawing import PETALS, TURNED, write
from trainer.world.glyphs import LETTERS, Strokes
from trainer.world.palette import (
    BACKGROUNDS,
    COLOURS,
    GLASS,
    INK,
    MIST,
    PAPER,
    SLATE,
    WASH,
    WOOD,
    Rgb,
    edge,
    mix,
)  # fmt: skip
from trainer.world.pen import Pen, Pose
from trainer.world.scenes import Scene, read_prompt
from trainer.world.seeing import (
    components,
    distances,
    eroded,
    filled,
    heart,
    middle,
    resampled,
    runs,
    steady_count,
)

REASONS = {
    "fingers": "hands", "petals": "anatomy", "points": "anatomy", "word": "text",
    "colour": "colour", "washed out": "colour", "background": "prompt not followed",
    "size": "prompt not followed", "blob": "artefact", "shape": "artefact",
}  # fmt: skip
"""The loop's reason for each fault; a missing part is anatomy on an animal, else composition."""


LUMINANCE = np.array([0.299, 0.587, 0.114])
LETTER_FIT = 0.6
"""Correlation with a letter's page below which a mark is no letter."""


@dataclass(frozen=True)
class Look:
    """A picture as the judge sees it: `pixels` float [64, 64, 3] with any wash undone, and masks over it."""

    pixels: np.ndarray
    ground: np.ndarray
    colour: str
    is_washed: bool
    purity: float
    figure: np.ndarray
    ink: np.ndarray
    wood: np.ndarray
    slate: np.ndarray
    glass: np.ndarray


def judge(picture: Image.Image, prompt: str) -> tuple[str, ...]:
    """The faults seen, in a fixed order; () when the picture is right.

    `picture` is brought to 64x64 RGB. Raises ValueError when the prompt is not of this world.
    """
    scene = read_prompt(prompt)
    if scene is None:
        raise ValueError(f"{prompt!r} does not name one subject, one colour and one background of the drawn world")
    look = look_at(np.asarray(picture.convert("RGB").resize((64, 64), Image.Resampling.BOX), float))
    faults = [*_own_faults(look, scene), *_common_faults(look, scene)]
    return tuple(dict.fromkeys(faults))


def reasons(faults: tuple[str, ...], prompt: str) -> tuple[str, ...]:
    """The loop's reasons (hands, anatomy, text, colour, prompt not followed, artefact, composition) for faults."""
    scene = read_prompt(prompt)
    part = "anatomy" if scene is not None and scene.subject == "cat" else "composition"
    return tuple(dict.fromkeys(REASONS.get(fault, part) for fault in faults))


def look_at(pixels: np.ndarray) -> Look:
    """Finds the ground, the subject's colour and the masks in float [64, 64, 3] pixels."""
    ground = _ground(pixels)
    colour, is_washed, purity = _subject_colour(pixels, ground)
    if is_washed:
        pixels, ground = (((p - WASH * np.array(MIST)) / (1 - WASH)).clip(0, 255) for p in (pixels, ground))
    distance = distances(pixels, [ground])[..., 0]
    figure = filled(distance > 0.42 * np.linalg.norm(COLOURS[colour] - ground))
    nearest = _nearest(pixels, _stuffs(COLOURS[colour]))
    masks = {name: figure & (nearest == name) for name in ("ink", "wood", "slate", "glass")}
    return Look(pixels, ground, colour, is_washed, purity, figure, **masks)


def _ground(pixels: np.ndarray) -> np.ndarray:
    """The colour of the rim, without the bottom: hands and posts enter there."""
    rim = [pixels[:2].reshape(-1, 3), pixels[:50, :2].reshape(-1, 3), pixels[:50, -2:].reshape(-1, 3)]
    return np.median(np.concatenate(rim), axis=0)


def _subject_colour(pixels: np.ndarray, ground: np.ndarray) -> tuple[str, bool, float]:
    """The commonest palette colour off the ground, whether it is washed out, and its share of coloured pixels."""
    distance = distances(pixels, [ground])[..., 0]
    core = eroded(distance > 0.4 * np.percentile(distance, 99))
    names = [(name, washed) for washed in (False, True) for name in COLOURS]
    others = (INK, WOOD, SLATE, GLASS, PAPER)
    palette = [*COLOURS.values(), *map(_washed, COLOURS.values()), *others, *map(_washed, others)]
    away = distances(pixels[core], palette)
    nearest = away.argmin(1)[away.min(1) < 60]
    votes = np.bincount(nearest, minlength=len(palette))[: len(names)]
    colour, is_washed = names[int(votes.argmax())]
    return colour, is_washed, float(votes.max() / max(votes.sum(), 1))


def _washed(colour: Rgb) -> Rgb:
    return mix(colour, MIST, WASH)


def _stuffs(body: Rgb) -> dict[str, list[Rgb]]:
    """What a figure's pixel may be made of. Outlines and highlights are listed so that they pass for nothing else."""
    return {
        "body": [body, edge(body), mix(body, PAPER, 0.25), mix(body, INK, 0.2)],
        "ink": [INK],
        "wood": [WOOD],
        "slate": [SLATE],
        "glass": [GLASS, PAPER, mix(GLASS, INK, 0.45)],
    }


def _nearest(pixels: np.ndarray, stuffs: dict[str, list[Rgb]]) -> np.ndarray:
    names = np.array([name for name, colours in stuffs.items() for _ in colours])
    colours = [rgb for group in stuffs.values() for rgb in group]
    return names[distances(pixels, colours).argmin(-1)]


def _common_faults(look: Look, scene: Scene) -> list[str]:
    faults = []
    if look.colour != scene.colour or look.purity < 0.6:
        faults.append("colour")
    if look.is_washed:
        faults.append("washed out")
    nearest = distances(look.ground, list(BACKGROUNDS.values())).argmin()
    if list(BACKGROUNDS)[nearest] != scene.background:
        faults.append("background")
    if len(components(look.figure & _rows(0, 54), 14)) > 1:
        faults.append("blob")
    return faults


def _own_faults(look: Look, scene: Scene) -> list[str]:
    return READERS[scene.subject](look, scene)


def _hand(look: Look, scene: Scene) -> list[str]:
    palm = heart(look.figure & _rows(28, 54))
    count = steady_count(look.figure, palm, np.arange(18.5, 23.6, 0.5), reach=122)
    return [] if count == 5 else ["fingers"]


def _flower(look: Look, scene: Scene) -> list[str]:
    centre = middle(look.figure)
    count = steady_count(look.figure, centre, np.arange(16, 22.1, 0.5))
    return [] if count == PETALS[scene.detail] else ["petals"]


def _star(look: Look, scene: Scene) -> list[str]:
    centre = middle(look.figure)
    rows, columns = np.nonzero(look.figure)
    radius = np.sqrt((rows - centre[0]) ** 2 + (columns - centre[1]) ** 2).max(initial=1)
    count = steady_count(look.figure, centre, radius * np.arange(0.6, 0.81, 0.04))
    faults = [] if count == 5 else ["points"]
    return faults + ([] if (radius > 20.5) == (scene.detail == "big") else ["size"])


def _sign(look: Look, scene: Scene) -> list[str]:
    board = {"ink": [INK], "paper": [PAPER], "frame": [COLOURS[look.colour], WOOD]}
    ink = _nearest(look.pixels, board) == "ink"
    faults = [] if read_word(ink & eroded(look.figure, 5)) == scene.detail else ["word"]
    post = look.wood & _rows(48, 64)
    return faults + ([] if post.sum() >= 30 else ["part"])


def _house(look: Look, scene: Scene) -> list[str]:
    """Finds parts by their place and their contrast with the wall, not by their colour, which a model may smear."""
    inside = eroded(look.figure, 2)
    wall = np.median(look.pixels[33:41, 27:38].reshape(-1, 3), axis=0)
    door = inside & _stands_out(look, wall) & _rows(44, 58) & _columns(25, 39)
    panes = [(look.glass & _rows(32, 54) & side).sum() for side in (_columns(12, 31), _columns(33, 52))]
    roof = look.figure & _rows(8, 27) & _columns(13, 40)
    chimney = look.figure & _rows(5, 16) & _columns(41, 52)
    whole = door.sum() >= 45 and min(panes) >= 28 and roof.sum() >= 120
    return [] if whole and (scene.detail != "chimney" or chimney.sum() >= 20) else ["part"]


def _stands_out(look: Look, colour: np.ndarray) -> np.ndarray:
    return distances(look.pixels, [colour])[..., 0] > 40


def _cat(look: Look, scene: Scene) -> list[str]:
    centre = heart(look.figure & _rows(16, 54))
    ears = steady_count(look.figure, centre, np.arange(23.5, 26.6, 0.5), reach=72)
    row = int(centre[0])
    eyes = components(_shadows(look) & _rows(row - 16, row + 5), 8)
    bow = look.figure & _rows(row + 19, 64)
    whole = ears == 2 and len(eyes) == 2 and (scene.detail != "bow" or bow.sum() >= 45)
    return [] if whole else ["part"]


def _shadows(look: Look) -> np.ndarray:
    """Places over a quarter of the way from the face's own lightness to ink: soft eyes are eyes."""
    light = look.pixels @ LUMINANCE
    face = eroded(look.figure, 3)
    usual = np.median(light[face]) if face.any() else 255.0
    return face & (light < usual - 0.28 * (usual - np.dot(INK, LUMINANCE)))


def read_word(ink: np.ndarray) -> str:
    """The letters of an ink mask, left to right; "?" for a mark that is no letter. Empty columns part them."""
    lines = ink & _rows(10, 46)
    marks = [lines & _columns(start, stop) for start, stop in runs(lines.any(0))]
    return "".join(_read_letter(mark) for mark in marks if mark.sum() >= 10)


def _read_letter(mark: np.ndarray) -> str:
    names, pages = _letter_pages()
    fits = pages @ _normed(resampled(mark))
    best = int(np.argmax(fits))
    return names[best] if fits[best] >= LETTER_FIT else "?"


@cache
def _letter_pages() -> tuple[list[str], np.ndarray]:
    """Each letter of the world as a sign may show it, right and turned ("?"): names, and pages [N, 256]."""
    ways = list(LETTERS.items()) + [("?", turn(LETTERS[name])) for name, turn in TURNED.items()]
    poses = [Pose(dx, dy, turn=tilt) for tilt in (-3, -1.5, 0, 1.5, 3) for dx in (0, 0.5) for dy in (0, 0.5)]
    pages = [_normed(resampled(_letter_mask(glyph, pose))) for _, glyph in ways for pose in poses]
    return [name for name, _ in ways for _ in poses], np.array(pages)


def _normed(page: np.ndarray) -> np.ndarray:
    """The page as one row of mean 0 and length 1, so that a product of two is their correlation."""
    row = page.ravel() - page.mean()
    return row / max(float(np.linalg.norm(row)), 1e-9)


def _letter_mask(glyph: Strokes, pose: Pose) -> np.ndarray:
    pen = Pen(pose)
    write(pen, glyph, 25)
    small = pen.sheet.resize((64, 64), Image.Resampling.BOX)
    return np.asarray(small)[..., 3] > 127


def _rows(start: int, stop: int) -> np.ndarray:
    rows = np.arange(64)[:, None]
    return (rows >= start) & (rows < stop)


def _columns(start: int, stop: int) -> np.ndarray:
    return _rows(start, stop).T


READERS: dict[str, Callable[[Look, Scene], list[str]]] = {
    "hand": _hand,
    "flower": _flower,
    "star": _star,
    "sign": _sign,
    "house": _house,
    "cat": _cat,
}
