"""The pictures of the compositions: several things on a background, right or with one fault."""

from collections.abc import Callable
from math import cos, pi, sin

import numpy as np
from PIL import Image

from bench.compositions.palette import BACKGROUNDS, COLOURS, INK, PAPER
from bench.compositions.scenes import NUMBERS, SHAPES, Scene, Thing
from trainer.world.pen import Pen, Point, Pose, box, ellipse, jitter

FAULTS: dict[str, tuple[str, ...]] = {
    "count": ("count", "colour", "shape"),
    "pair": ("colour", "shape", "missing"),
    "relation": ("relation", "colour", "shape"),
    "face": ("mouth", "part", "colour"),
}
"""The faults that each subject may be drawn with."""

CELLS = [(x, y) for y in (18.0, 46.0) for x in (11.5, 32.0, 52.5)]
"""Where the things of a count may be, before a slight shift."""
DIRECTIONS = {"above": (0, -1), "below": (0, 1), "left": (-1, 0), "right": (1, 0)}


def draw(scene: Scene, rng: np.random.Generator, fault: str | None = None) -> Image.Image:
    """A 64x64 RGB picture of the scene, with `fault` (one of FAULTS[scene.subject]) or right.

    Raises ValueError when the subject cannot have that fault.
    """
    if fault is not None and fault not in FAULTS[scene.subject]:
        raise ValueError(f"a {scene.subject} has no fault {fault!r}; it may have {FAULTS[scene.subject]}")
    return SKETCHES[scene.subject](scene, rng, fault).on(BACKGROUNDS[scene.background])


def put(pen: Pen, thing: Thing, centre: Point, radius: float, turn: float = 0.0) -> None:
    """One thing with the middle of its bounding box at `centre`, about 2 `radius` wide."""
    x, y = centre
    corners = {
        "circle": lambda: ellipse(x, y, radius, radius),
        "square": lambda: _ring(x, y, [1.26 * radius] * 4, turn + 45),
        "triangle": lambda: _ring(x, y + 0.27 * radius, [1.2 * radius] * 3, turn),
        "star": lambda: _ring(x, y, [1.2 * radius, 0.56 * radius] * 5, turn),
    }[thing.shape]()
    pen.fill([corners], COLOURS[thing.colour], line=0.7)


def _ring(x: float, y: float, radii: list[float], turn: float) -> list[Point]:
    """Corners at these radii about (x, y), clockwise from `turn` degrees right of up."""
    angles = [(turn + 360 * k / len(radii) - 90) * pi / 180 for k in range(len(radii))]
    return [(x + r * cos(a), y + r * sin(a)) for r, a in zip(radii, angles, strict=True)]


def _count(scene: Scene, rng: np.random.Generator, fault: str | None) -> Pen:
    number = NUMBERS.index(scene.detail) + 1
    if fault == "count":
        number = int(rng.choice([n for n in range(1, 7) if 0 < abs(n - number) <= 2]))
    things = [scene.things[0]] * number
    if fault in ("colour", "shape"):
        wrong = _altered(scene.things[0], fault, rng)
        # One of them or all of them.
        things = [wrong] * number if rng.random() < 0.5 else [wrong, *things[1:]]
    pen, radius = Pen(Pose()), rng.uniform(6.2, 6.8)
    for thing, cell in zip(things, rng.permutation(CELLS)[:number], strict=True):
        centre = (cell[0] + rng.uniform(-1, 1), cell[1] + rng.uniform(-3, 3))
        put(pen, thing, centre, radius, rng.uniform(-6, 6))
    return pen


def _pair(scene: Scene, rng: np.random.Generator, fault: str | None) -> Pen:
    direction = list(DIRECTIONS)[rng.integers(4)]
    return _two(_spoilt(scene.things, fault, rng), direction, rng)


def _relation(scene: Scene, rng: np.random.Generator, fault: str | None) -> Pen:
    things = scene.things[::-1] if fault == "relation" else _spoilt(scene.things, fault, rng)
    return _two(things, scene.detail, rng)


def _two(things: tuple[Thing, ...], direction: str, rng: np.random.Generator) -> Pen:
    """The first thing lies in `direction` from the second."""
    pen, (across, down), radius = Pen(Pose()), DIRECTIONS[direction], rng.uniform(10, 11)
    for thing, side in zip(things, (1, -1), strict=False):
        away, slip = rng.uniform(15, 17), rng.uniform(-5, 5)
        x, y = 32 + side * away * across + slip * abs(down), 32 + side * away * down + slip * abs(across)
        put(pen, thing, (x, y), radius, rng.uniform(-6, 6))
    return pen


def _spoilt(things: tuple[Thing, ...], fault: str | None, rng: np.random.Generator) -> tuple[Thing, ...]:
    """The two things, one of them missing or with another shape or colour, or their colours swapped."""
    first, second = things
    spot = int(rng.integers(2))
    if fault == "missing":
        return (things[spot],)
    if fault == "colour" and rng.random() < 0.6:
        return Thing(second.colour, first.shape), Thing(first.colour, second.shape)
    if fault in ("colour", "shape"):
        wrong = _altered(things[spot], fault, rng)
        return (first, wrong) if spot else (wrong, second)
    return things


def _altered(thing: Thing, fault: str, rng: np.random.Generator) -> Thing:
    if fault == "colour":
        return thing._replace(colour=str(rng.choice([c for c in COLOURS if c != thing.colour])))
    return thing._replace(shape=str(rng.choice([s for s in SHAPES if s != thing.shape])))


def _face(scene: Scene, rng: np.random.Generator, fault: str | None) -> Pen:
    pen, (mouth, worn) = Pen(jitter(rng, turn=4)), (*scene.detail.split(), "")[:2]
    thing = _altered(scene.things[0], "colour", rng) if fault == "colour" else scene.things[0]
    eyes = [22.0, 42.0]
    if fault == "part":
        # What was asked for goes, or something comes that nobody asked for, or an eye is missing.
        others = [item for item in ("", "hat", "glasses") if item != worn]
        worn = "" if worn and rng.random() < 0.5 else str(rng.choice([*others, worn]))
        if (mouth, worn) == (*scene.detail.split(), "")[:2]:
            eyes.pop(int(rng.integers(2)))
    if fault == "mouth":
        mouth = "frown" if mouth == "smile" else "smile"
    pen.fill([ellipse(32, 37, 21, 20)], COLOURS[thing.colour])
    for x in eyes:
        if worn == "glasses":
            pen.fill([ellipse(x, 32, 7.5, 6.5)], INK, line=0)
            pen.fill([ellipse(x, 32, 5.5, 4.6)], PAPER, line=0)
        pen.fill([ellipse(x, 32, 2.4, 3.0)], INK, line=0)
    if worn == "glasses":
        pen.stroke([(29, 31), (35, 31)], INK, 2.2)
    bend = 1 if mouth == "smile" else -1
    lips = [(32 + 9 * t, 47 - bend * (5 * t * t - 2.5)) for t in np.linspace(-1, 1, 9)]
    pen.stroke(lips, INK, 2.8)
    if worn == "hat":
        pen.fill([box(21, 4, 43, 20, 2), box(12, 17, 52, 22, 2)], INK, line=0)
    return pen


SKETCHES: dict[str, Callable[[Scene, np.random.Generator, str | None], Pen]] = {
    "count": _count,
    "pair": _pair,
    "relation": _relation,
    "face": _face,
}
