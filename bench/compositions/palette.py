"""The colours of the compositions, as 8-bit RGB, far from one another."""

from trainer.world.palette import INK, PAPER, Rgb, edge

__all__ = ["BACKGROUNDS", "COLOURS", "INK", "PAPER", "Rgb", "edge"]

COLOURS: dict[str, Rgb] = {
    "red": (220, 50, 50),
    "yellow": (250, 200, 30),
    "green": (46, 156, 78),
    "blue": (44, 100, 220),
}
BACKGROUNDS: dict[str, Rgb] = {
    "white": (250, 250, 250),
    "mint": (176, 236, 196),
    "sky": (156, 206, 252),
    "pink": (252, 186, 206),
}
