"""A pen on a 64x64 sheet: shapes in picture pixels, drawn enlarged and scaled down once, so that edges are smooth."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, pi, sin

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from trainer.world.palette import INK, Rgb, edge

SIZE = 64
ZOOM = 5
ELLIPSE_CORNERS = 40
Point = tuple[float, float]
Points = Sequence[Point]


@dataclass(frozen=True)
class Pose:
    """Where the subject sits: a shift in pixels, a scale and a turn (degrees) about the middle."""

    dx: float = 0.0
    dy: float = 0.0
    scale: float = 1.0
    turn: float = 0.0

    def place(self, points: Points) -> list[Point]:
        """The points moved by the pose and brought to the large sheet's pixels."""
        c, s = cos(self.turn * pi / 180) * self.scale, sin(self.turn * pi / 180) * self.scale
        middle = SIZE / 2
        return [
            (
                ZOOM * (middle + self.dx + c * (x - middle) - s * (y - middle)),
                ZOOM * (middle + self.dy + s * (x - middle) + c * (y - middle)),
            )
            for x, y in points
        ]


def jitter(rng: np.random.Generator, turn: float = 6.0) -> Pose:
    """A slight random pose: up to 1.5 px, 5 % and `turn` degrees."""
    dx, dy = rng.uniform(-1.5, 1.5, 2)
    return Pose(dx, dy, rng.uniform(0.95, 1.04), rng.uniform(-turn, turn))


class Pen:
    """Draws on a clear sheet in one pose; `on` lays the sheet over a background."""

    def __init__(self, pose: Pose) -> None:
        self.pose = pose
        self.sheet = Image.new("RGBA", (SIZE * ZOOM, SIZE * ZOOM), (*INK, 0))
        self._draw = ImageDraw.Draw(self.sheet)

    def fill(self, shapes: Sequence[Points], colour: Rgb, line: float = 0.8) -> None:
        """Joined shapes of one colour with one outline of `line` pixels around them all."""
        placed = [self.pose.place(shape) for shape in shapes]
        if line:
            width = round(2 * line * ZOOM)
            for shape in placed:
                self._draw.line([*shape, *shape[:2]], fill=edge(colour), width=width, joint="curve")
        for shape in placed:
            self._draw.polygon(shape, fill=colour)

    def stroke(self, points: Points, colour: Rgb, width: float) -> None:
        """A line with round ends, `width` pixels thick."""
        placed, thick = self.pose.place(points), width * ZOOM * self.pose.scale
        self._draw.line(placed, fill=colour, width=round(thick), joint="curve")
        for x, y in (placed[0], placed[-1]):
            self._draw.circle((x, y), thick / 2, fill=colour)

    def on(self, background: Rgb) -> Image.Image:
        """The finished RGB picture: background, soft shadow, then the subject lit from above."""
        small = np.asarray(self.sheet.resize((SIZE, SIZE), Image.Resampling.BOX), np.float32)
        alpha = small[..., 3:] / 255
        lower = np.pad(small[:-2, :, 3], ((2, 0), (0, 0))).astype(np.uint8)
        shadow = Image.fromarray(lower).filter(ImageFilter.GaussianBlur(1.6))
        dark = 0.14 * np.asarray(shadow, np.float32)[..., None] / 255
        floor = np.asarray(background, np.float32) * (1 - dark) + np.asarray(INK, np.float32) * dark
        light = np.linspace(1.05, 0.93, SIZE, dtype=np.float32)[:, None, None]
        picture = floor * (1 - alpha) + small[..., :3] * light * alpha
        return Image.fromarray(picture.clip(0, 255).round().astype(np.uint8))


def ellipse(x: float, y: float, rx: float, ry: float, turn: float = 0.0) -> Points:
    """An ellipse about (x, y), turned clockwise by `turn` degrees."""
    c, s = cos(turn * pi / 180), sin(turn * pi / 180)
    ring = [
        (rx * cos(2 * pi * k / ELLIPSE_CORNERS), ry * sin(2 * pi * k / ELLIPSE_CORNERS)) for k in range(ELLIPSE_CORNERS)
    ]
    return [(x + c * u - s * v, y + s * u + c * v) for u, v in ring]


def box(left: float, top: float, right: float, bottom: float, radius: float = 0.0) -> Points:
    """A rectangle, its corners rounded by `radius`."""
    if not radius:
        return [(left, top), (right, top), (right, bottom), (left, bottom)]
    corners = ((right, bottom, 0), (left, bottom, 1), (left, top, 2), (right, top, 3))
    return [
        point
        for x, y, quarter in corners
        for point in _corner(min(x, right - radius) if x == right else x + radius,
                             y - radius if y == bottom else y + radius, radius, quarter)
    ]  # fmt: skip


def capsule(centre: Point, angle: float, start: float, end: float, width: float) -> Points:
    """A rounded bar from radius `start` to `end` about `centre`, `angle` degrees clockwise from up."""
    (x, y), a, half = centre, (angle - 90) * pi / 180, width / 2
    tip = [(end - half + half * cos(t), half * sin(t)) for t in np.linspace(-pi / 2, pi / 2, 12)]
    bar = [(start, half), (start, -half), *tip]
    return [(x + cos(a) * u - sin(a) * v, y + sin(a) * u + cos(a) * v) for u, v in bar]


def _corner(x: float, y: float, radius: float, quarter: int) -> Points:
    turns = np.linspace(quarter * pi / 2, (quarter + 1) * pi / 2, 6)
    return [(x + radius * cos(t), y + radius * sin(t)) for t in turns]
