"""The colours of the drawn world, as 8-bit RGB."""

from collections.abc import Sequence

Rgb = tuple[int, int, int]

COLOURS: dict[str, Rgb] = {
    "red": (222, 66, 70),
    "orange": (243, 142, 52),
    "yellow": (248, 204, 62),
    "green": (78, 172, 96),
    "blue": (62, 124, 218),
    "purple": (148, 88, 196),
}
BACKGROUNDS: dict[str, Rgb] = {
    "cream": (253, 241, 208),
    "mint": (180, 232, 206),
    "sky": (170, 214, 246),
    "pink": (250, 202, 214),
    "lilac": (214, 200, 244),
}
INK: Rgb = (52, 46, 74)
PAPER: Rgb = (255, 252, 246)
WOOD: Rgb = (134, 86, 60)
SLATE: Rgb = (92, 84, 116)
GLASS: Rgb = (232, 246, 255)
MIST: Rgb = (216, 214, 214)
WASH = 0.62
"""How far a washed-out picture has gone from itself to MIST, 0 to 1."""


def mix(a: Sequence[float], b: Sequence[float], share: float) -> Rgb:
    """The colour `share` of the way from a to b."""
    red, green, blue = (round(x + (y - x) * share) for x, y in zip(a, b, strict=True))
    return red, green, blue


def edge(colour: Rgb) -> Rgb:
    """The outline that goes with a fill."""
    return mix(colour, INK, 0.45)
