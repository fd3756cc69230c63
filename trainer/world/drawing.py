"""The pictures of the world: a subject in its colour on its background, right or with one fault."""

from collections.abc import Callable
from math import cos, pi, sin

import numpy as np
from PIL import Image

from trainer.world.glyphs import LETTERS, Strokes, flipped, mirrored
from trainer.world.palette import BACKGROUNDS, COLOURS, GLASS, INK, MIST, PAPER, SLATE, WASH, WOOD, Rgb, mix
from trainer.world.pen import Pen, Point, Points, box, capsule, ellipse, jitter
from trainer.world.scenes import Scene

FAULTS: dict[str, tuple[str, ...]] = {
    "hand": ("fingers", "colour", "washed out"),
    "flower": ("petals", "colour", "washed out"),
    "star": ("points", "colour", "washed out"),
    "sign": ("word", "part", "colour", "washed out"),
    "house": ("part", "colour", "washed out"),
    "cat": ("part", "colour", "washed out"),
}
"""The faults that each subject may be drawn with."""

PETALS = {"four": 4, "six": 6}
STAR_RADIUS = {"big": 24.0, "small": 15.0}
TURNED = {"G": mirrored, "K": mirrored, "P": flipped, "U": flipped}
"""The letters that a garbled word may turn, and how."""


def draw(scene: Scene, rng: np.random.Generator, fault: str | None = None) -> Image.Image:
    """A 64x64 RGB picture of the scene, with `fault` (one of FAULTS[scene.subject]) or right.

    Raises ValueError when the subject cannot have that fault.
    """
    if fault is not None and fault not in FAULTS[scene.subject]:
        raise ValueError(f"a {scene.subject} has no fault {fault!r}; it may have {FAULTS[scene.subject]}")
    colour = COLOURS[_another(scene.colour, rng) if fault == "colour" else scene.colour]
    pen = SKETCHES[scene.subject](scene, colour, rng, fault)
    picture = pen.on(BACKGROUNDS[scene.background])
    return wash_out(picture) if fault == "washed out" else picture


def wash_out(picture: Image.Image) -> Image.Image:
    """The picture most of the way to a light grey."""
    return Image.blend(picture, Image.new("RGB", picture.size, MIST), WASH)


def _another(colour: str, rng: np.random.Generator) -> str:
    return rng.choice([c for c in COLOURS if c != colour]).item()


def _miscount(count: int, rng: np.random.Generator) -> int:
    return count + int(rng.choice((-1, 1)))


def _hand(scene: Scene, colour: Rgb, rng: np.random.Generator, fault: str | None) -> Pen:
    pen, side = Pen(jitter(rng)), int(rng.choice((-1, 1)))
    count = _miscount(5, rng) if fault == "fingers" else 5
    angles = np.linspace(-60, 46, count - 1)
    fingers = [capsule((32, 40), side * a, 4, 30 - 0.0012 * (a + 7) ** 2, 5.2) for a in angles]
    thumb = capsule((32, 41), side * 88, 2, 25, 5.8)
    wrist = box(25.5, 44, 38.5, 74)
    pen.fill([ellipse(32, 41, 12, 12.2), *fingers, thumb, wrist], colour)
    crease = [(32 + side * x, 40 + y) for x, y in ((4.5, 7), (1, 5), (-0.5, 2), (0.5, -1))]
    pen.stroke(crease, mix(colour, INK, 0.22), 1.2)
    pen.fill([box(21.5, 58, 42.5, 76, 1.5)], PAPER)
    return pen


def _flower(scene: Scene, colour: Rgb, rng: np.random.Generator, fault: str | None) -> Pen:
    pen, asked = Pen(jitter(rng, turn=8)), PETALS[scene.detail]
    count = _miscount(asked, rng) if fault == "petals" else asked
    angles = np.arange(count) * 360 / count
    across = {3: 9.0, 4: 8.2, 5: 7.2, 6: 6.2, 7: 5.4}[count]
    for angle in angles:
        x, y = _polar(32, 32, angle, 15.5)
        pen.fill([ellipse(x, y, across, 10, angle)], colour)
        vein = [_polar(32, 32, angle, r) for r in (9, 18)]
        pen.stroke(vein, mix(colour, INK, 0.15), 1.2)
    pen.fill([ellipse(32, 32, 6.4, 6.4)], WOOD)
    pen.fill([ellipse(31, 30.8, 3, 2.6)], mix(WOOD, PAPER, 0.25), line=0)
    return pen


def _star(scene: Scene, colour: Rgb, rng: np.random.Generator, fault: str | None) -> Pen:
    pen, radius = Pen(jitter(rng)), STAR_RADIUS[scene.detail]
    count = _miscount(5, rng) if fault == "points" else 5
    inner = radius * {4: 0.40, 5: 0.47, 6: 0.55}[count]
    corners = [_polar(32, 33, 180 * k / count, inner if k % 2 else radius) for k in range(2 * count)]
    pen.fill([corners], colour, line=1.0)
    for tip in range(0, 2 * count, 2):
        pen.fill([[(32, 33), corners[tip], corners[tip - 1]]], mix(colour, PAPER, 0.22), line=0)
    return pen


def _sign(scene: Scene, colour: Rgb, rng: np.random.Generator, fault: str | None) -> Pen:
    pen = Pen(jitter(rng, turn=2.5))
    if fault != "part":
        pen.fill([box(29, 36, 35, 76)], WOOD)
    pen.fill([box(4.5, 11, 59.5, 45, 4)], colour)
    pen.fill([box(9.5, 16, 54.5, 40, 1.5)], PAPER, line=0)
    glyphs = [LETTERS[letter] for letter in scene.detail]
    if fault == "word":
        glyphs = _garbled(scene.detail, rng)
    for glyph, left in zip(glyphs, (15.2, 36.2), strict=True):
        write(pen, glyph, left)
    return pen


def write(pen: Pen, glyph: Strokes, left: float) -> None:
    """One letter of a sign, its left edge at `left` pixels."""
    for stroke in glyph:
        pen.stroke([(left + 12.6 * x, 20.2 + 15.6 * y) for x, y in stroke], INK, 3.6)


def _garbled(word: str, rng: np.random.Generator) -> list[Strokes]:
    """The word's glyphs with one or both of them wrong."""
    glyphs = [LETTERS[letter] for letter in word]
    spots = [k for k, letter in enumerate(word) if letter in TURNED]
    kind = rng.integers(3)
    if kind == 0 and spots:
        spot = spots[rng.integers(len(spots))]
        glyphs[spot] = TURNED[word[spot]](glyphs[spot])
    elif kind == 1:
        glyphs.reverse()
    else:
        glyphs[rng.integers(2)] = LETTERS["ELTXZAV"[rng.integers(7)]]
    return glyphs


def _house(scene: Scene, colour: Rgb, rng: np.random.Generator, fault: str | None) -> Pen:
    pen, parts = Pen(jitter(rng, turn=2)), ["door", "left", "right", "roof"]
    parts += ["chimney"] if scene.detail == "chimney" else []
    if fault == "part":
        parts.remove(rng.choice(parts))
    if "chimney" in parts:
        pen.fill([box(42, 8, 49, 30)], WOOD)
    pen.fill([box(13, 28, 51, 57)], colour)
    if "roof" in parts:
        pen.fill([[(7, 30), (32, 8), (57, 30)]], SLATE, line=1.2)
    if "door" in parts:
        pen.fill([box(27.5, 42, 36.5, 57)], WOOD)
    for side, left in (("left", 16), ("right", 40)):
        if side in parts:
            _window(pen, left, 36)
    return pen


def _window(pen: Pen, left: float, top: float) -> None:
    pen.fill([box(left, top, left + 8, top + 9)], GLASS, line=1.2)
    pen.stroke([(left + 4, top), (left + 4, top + 9)], mix(GLASS, INK, 0.45), 1.0)


def _cat(scene: Scene, colour: Rgb, rng: np.random.Generator, fault: str | None) -> Pen:
    pen, parts = Pen(jitter(rng, turn=5)), ["left ear", "right ear", "left eye", "right eye"]
    parts += ["bow"] if scene.detail == "bow" else []
    lost = rng.choice([*parts, "third eye"]) if fault == "part" else None
    shapes = [ellipse(32, 34, 21, 17.5)]
    ears = {"left ear": -1, "right ear": 1}
    shapes += [_ear(side, 1.0) for name, side in ears.items() if name != lost]
    pen.fill(shapes, colour)
    for name, side in ears.items():
        if name != lost:
            pen.fill([_ear(side, 0.55)], mix(colour, PAPER, 0.5), line=0)
    pen.fill([ellipse(32, 43, 9, 6)], mix(colour, PAPER, 0.72), line=0)
    pen.fill([[(29.6, 39), (34.4, 39), (32, 42)]], INK, line=0.4)
    pen.stroke([(28.4, 43.6), (30, 45), (32, 43.4), (34, 45), (35.6, 43.6)], INK, 1.0)
    for name, x, y in (("left eye", 23.5, 32), ("right eye", 40.5, 32)):
        if name != lost:
            _eye(pen, x, y)
    if lost == "third eye":
        _eye(pen, 32, 25)
    if scene.detail == "bow" and lost != "bow":
        _bow(pen)
    return pen


def _ear(side: int, size: float) -> Points:
    tip, foot, brow = (16, -25.5), (20, -4), (4, -15)
    middle = [sum(v) / 3 for v in zip(tip, foot, brow, strict=True)]
    corners = [[m + size * (v - m) for v, m in zip(p, middle, strict=True)] for p in (tip, foot, brow)]
    return [(32 + side * x, 34 + y) for x, y in corners]


def _eye(pen: Pen, x: float, y: float) -> None:
    pen.fill([ellipse(x, y, 3.2, 4.2)], INK, line=0)
    pen.fill([ellipse(x + 0.9, y - 1.6, 1.2, 1.2)], PAPER, line=0)


def _bow(pen: Pen) -> None:
    wings = [[(32, 54.5), (32 + s * 10, 49.5), (32 + s * 10, 59.5)] for s in (-1, 1)]
    pen.fill([*wings, ellipse(32, 54.5, 3.2, 3.4)], INK, line=0.6)
    pen.fill([ellipse(32, 54.5, 1.8, 2)], SLATE, line=0)


def _polar(x: float, y: float, angle: float, radius: float) -> Point:
    a = (angle - 90) * pi / 180
    return x + radius * cos(a), y + radius * sin(a)


SKETCHES: dict[str, Callable[[Scene, Rgb, np.random.Generator, str | None], Pen]] = {
    "hand": _hand,
    "flower": _flower,
    "star": _star,
    "sign": _sign,
    "house": _house,
    "cat": _cat,
}
