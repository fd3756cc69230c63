"""Capital letters as strokes in a unit box (x right, y down), for the signs."""

from math import cos, pi, sin

Point = tuple[float, float]
Strokes = list[list[Point]]


def _arc(centre: Point, rx: float, ry: float, start: float, end: float) -> list[Point]:
    x, y = centre
    angles = [(start + (end - start) * k / 24) * pi / 180 for k in range(25)]
    return [(x + rx * cos(a), y + ry * sin(a)) for a in angles]


LETTERS: dict[str, Strokes] = {
    "G": [[*_arc((0.5, 0.5), 0.5, 0.5, -40, -360), (0.55, 0.5)]],
    "O": [_arc((0.5, 0.5), 0.5, 0.5, 0, 360)],
    "H": [[(0, 0), (0, 1)], [(1, 0), (1, 1)], [(0, 0.5), (1, 0.5)]],
    "I": [[(0.5, 0), (0.5, 1)], [(0.15, 0), (0.85, 0)], [(0.15, 1), (0.85, 1)]],
    "K": [[(0, 0), (0, 1)], [(1, 0), (0.05, 0.55)], [(0.3, 0.42), (1, 1)]],
    "U": [[(0, 0), *_arc((0.5, 0.55), 0.5, 0.45, 180, 0), (1, 0)]],
    "P": [[(0, 1), (0, 0), (0.55, 0), *_arc((0.62, 0.29), 0.38, 0.29, -90, 90), (0, 0.58)]],
    "E": [[(1, 0), (0, 0), (0, 1), (1, 1)], [(0, 0.5), (0.8, 0.5)]],
    "L": [[(0, 0), (0, 1), (1, 1)]],
    "T": [[(0, 0), (1, 0)], [(0.5, 0), (0.5, 1)]],
    "X": [[(0, 0), (1, 1)], [(1, 0), (0, 1)]],
    "Z": [[(0, 0), (1, 0), (0, 1), (1, 1)]],
    "A": [[(0, 1), (0.5, 0), (1, 1)], [(0.22, 0.66), (0.78, 0.66)]],
    "V": [[(0, 0), (0.5, 1), (1, 0)]],
}


def mirrored(strokes: Strokes) -> Strokes:
    """The letter seen in a mirror."""
    return [[(1 - x, y) for x, y in stroke] for stroke in strokes]


def flipped(strokes: Strokes) -> Strokes:
    """The letter upside down."""
    return [[(x, 1 - y) for x, y in stroke] for stroke in strokes]
