"""The judge: what is wrong with a composition, from only its pixels and its prompt."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
from PIL import Image

from bench.compositions.drawing import DIRECTIONS, put
from bench.compositions.palette import BACKGROUNDS, COLOURS, INK, PAPER, Rgb
from bench.compositions.scenes import NUMBERS, SHAPES, Scene, Thing, read_prompt
from trainer.world.pen import Pen, Point, Pose
from trainer.world.seeing import components, distances, eroded, filled, middle, resampled

OFF_GROUND = 65.0
"""RGB distance from the background from which on a pixel belongs to a thing."""
LEAST_THING, LEAST_SPECK = 30, 10
"""Pixels of the smallest thing, and of the smallest speck that spoils a picture; the smallest thing drawn has 70."""
SHAPE_FIT = 0.6
"""Correlation with a shape's page below which a thing has no shape."""
SOFT = 0.35
"""Share of the way from a head's colour to ink or paper from which on a place is a mark."""
LEAST_EYE = 1.0
"""Least ink of an eye, summed: drawn eyes have 14, after the autoencoder 2.3 or more; it leaves 0.45 where none was."""
PURITY = 0.6
"""Share of a thing's pixels that its colour must have."""


class Seen(NamedTuple):
    """A thing as the judge sees it; `colour` and `shape` are "?" where it cannot tell. `middle` is (x, y)."""

    colour: str
    shape: str
    middle: Point


@dataclass(frozen=True)
class Look:
    """A picture as the judge sees it: `pixels` float [64, 64, 3], the masks of its things, largest first."""

    pixels: np.ndarray
    masks: list[np.ndarray]


def judge(picture: Image.Image, prompt: str) -> tuple[str, ...]:
    """The faults seen, in a fixed order; () when the picture is right.

    `picture` is brought to 64x64 RGB. Raises ValueError when the prompt is not of this world.
    """
    scene = read_prompt(prompt)
    if scene is None:
        raise ValueError(f"{prompt!r} does not name one composition and one background of this world")
    pixels = np.asarray(picture.convert("RGB").resize((64, 64), Image.Resampling.BOX), float)
    ground = _ground(pixels)
    pieces = components(filled(distances(pixels, [ground])[..., 0] > OFF_GROUND), LEAST_SPECK)
    look = Look(pixels, [piece for piece in pieces if piece.sum() >= LEAST_THING])
    faults = READERS[scene.subject](look, scene)
    if list(BACKGROUNDS)[distances(ground, list(BACKGROUNDS.values())).argmin()] != scene.background:
        faults.append("background")
    if len(pieces) > len(look.masks):
        faults.append("blob")
    return tuple(dict.fromkeys(faults))


def _ground(pixels: np.ndarray) -> np.ndarray:
    rim = [pixels[:2], pixels[-2:], pixels[:, :2], pixels[:, -2:]]
    return np.median(np.concatenate([part.reshape(-1, 3) for part in rim]), axis=0)


def _count(look: Look, scene: Scene) -> list[str]:
    seen, asked = _things(look), scene.things[0]
    faults = [] if len(seen) == NUMBERS.index(scene.detail) + 1 else ["count"]
    faults += ["colour"] if any(thing.colour != asked.colour for thing in seen) else []
    return faults + (["shape"] if any(thing.shape != asked.shape for thing in seen) else [])


def _pair(look: Look, scene: Scene) -> list[str]:
    return _in_order(_things(look), scene.things)[1]


def _relation(look: Look, scene: Scene) -> list[str]:
    seen, faults = _in_order(_things(look), scene.things)
    if len(seen) == 2 and _direction(*(thing.middle for thing in seen)) != scene.detail:
        faults.insert(0, "relation")
    return faults


def _in_order(seen: list[Seen], asked: tuple[Thing, ...]) -> tuple[list[Seen], list[str]]:
    """The two things in the order of the prompt, as well as they fit it, and how they do not fit."""
    if len(seen) != 2:
        return seen, ["missing" if len(seen) < 2 else "blob"]
    # With two faults either way, as when the colours are swapped, the shapes say which is which.
    ways = [(way, _mismatches(way, asked)) for way in (seen, seen[::-1])]
    way, faults = min(ways, key=lambda way: (len(way[1]), way[1].count("shape")))
    return way, list(dict.fromkeys(faults))


def _mismatches(seen: list[Seen], asked: tuple[Thing, ...]) -> list[str]:
    colours = ["colour" for one, other in zip(seen, asked, strict=True) if one.colour != other.colour]
    return colours + ["shape" for one, other in zip(seen, asked, strict=True) if one.shape != other.shape]


def _direction(first: Point, second: Point) -> str:
    """Where the first lies, seen from the second."""
    across, down = first[0] - second[0], first[1] - second[1]
    return max(DIRECTIONS, key=lambda name: DIRECTIONS[name][0] * across + DIRECTIONS[name][1] * down)


def _things(look: Look) -> list[Seen]:
    return [Seen(_colour(look.pixels[eroded(mask)]), _shape(mask), middle(mask)[::-1]) for mask in look.masks]


def _colour(pixels: np.ndarray) -> str:
    """The commonest palette colour of pixels [N, 3], ink and paper left out."""
    nearest = distances(pixels, [*COLOURS.values(), INK, PAPER]).argmin(-1)
    votes = np.bincount(nearest, minlength=len(COLOURS))[: len(COLOURS)]
    return list(COLOURS)[int(votes.argmax())] if votes.max() >= PURITY * max(votes.sum(), 1) else "?"


def _shape(mask: np.ndarray) -> str:
    names, pages = _shape_pages()
    fits = pages @ _page(mask)
    return names[int(fits.argmax())] if fits.max() >= SHAPE_FIT else "?"


@cache
def _shape_pages() -> tuple[list[str], np.ndarray]:
    """Each shape as it may be drawn: names, and pages [N, 484]."""
    ways = [(shape, radius, turn) for shape in SHAPES for radius in (6.5, 10.5) for turn in (-6, -3, 0, 3, 6)]
    pages = [_page(_shape_mask(*way)) for way in ways]
    return [shape for shape, _, _ in ways], np.array(pages)


def _shape_mask(shape: str, radius: float, turn: float) -> np.ndarray:
    pen = Pen(Pose())
    put(pen, Thing("red", shape), (32.0, 32.0), radius, turn)
    small = pen.sheet.resize((64, 64), Image.Resampling.BOX)
    return np.asarray(small)[..., 3] > 110


def _page(mask: np.ndarray) -> np.ndarray:
    """The mask in a frame, as one row of mean 0 and length 1: a product of two is their correlation."""
    # Without the frame a full square would be as even as nothing at all.
    page = np.pad(resampled(mask), 3).ravel()
    row = page - page.mean()
    return row / float(np.linalg.norm(row))


def _face(look: Look, scene: Scene) -> list[str]:
    """Finds the parts by their places on the head, whose lower half is never covered."""
    if len(look.masks) != 1:
        return ["blob"]
    figure = look.masks[0]
    colour = _colour(look.pixels[eroded(figure, 2)])
    faults = [] if colour == scene.things[0].colour else ["colour"]
    x, y = _on_head(figure)
    ink, paper = _marks(look.pixels, figure)
    mouth, worn = (*scene.detail.split(), "")[:2]
    if _mouth(ink * ((abs(x) < 12) & (y > 4) & (y < 17)), x, y) != mouth:
        faults.insert(0, "mouth")
    sides = [(side * x > 3) & (side * x < 18) & (y > -12) & (y < 3) for side in (-1, 1)]
    lenses, eyes = ([float((stuff * side).sum()) for side in sides] for stuff in (paper > 0, ink))
    hat = ((ink > 0) & (y < -14)).sum() >= 120
    whole = hat == (worn == "hat") and min(eyes) >= LEAST_EYE
    if not whole or (min(lenses) < 20 if worn == "glasses" else max(lenses) >= 20):
        faults.append("part")
    return faults


def _marks(pixels: np.ndarray, figure: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How far each place of the figure is beyond SOFT on the way from the head's own colour to ink, and to paper."""
    # A soft mouth is a mouth: an autoencoder brings thin lines back paler than they were drawn.
    inner = pixels[eroded(figure, 3)]
    skin = np.median(inner if len(inner) else pixels[figure], axis=0)
    return figure * _towards(pixels, skin, INK), figure * _towards(pixels, skin, PAPER)


def _towards(pixels: np.ndarray, start: np.ndarray, end: Rgb) -> np.ndarray:
    way = np.array(end, float) - start
    return ((pixels - start) @ way / max(way @ way, 1.0) - SOFT).clip(0)


def _on_head(figure: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each pixel's place right of and below the head's middle, [64, 64] each, in pixels of a head 42 across."""
    rows, columns = np.nonzero(figure)
    lower = columns[rows > rows.max() - 24]
    size = (lower.max() - lower.min() + 1) / 43.6
    x = (np.arange(64)[None, :] - (lower.max() + lower.min()) / 2) / size
    y = (np.arange(64)[:, None] - (rows.max() - 20.5 * size)) / size
    return np.broadcast_to(x, (64, 64)), np.broadcast_to(y, (64, 64))


def _mouth(ink: np.ndarray, x: np.ndarray, y: np.ndarray) -> str:
    """ "smile" where the middle hangs lower than the corners, "frown" where it is higher, "?" where one is missing."""
    centre, corners = ink * (abs(x) < 3.5), ink * (abs(x) > 5.5)
    if min((centre > 0).sum(), (corners > 0).sum()) < 4:
        return "?"
    # An autoencoder brings a mouth on green back as a smear. Its darkest places still lie as the line did.
    bend = np.average(y, weights=centre) - np.average(y, weights=corners)
    return "smile" if bend > 0 else "frown"


READERS: dict[str, Callable[[Look, Scene], list[str]]] = {
    "count": _count,
    "pair": _pair,
    "relation": _relation,
    "face": _face,
}
