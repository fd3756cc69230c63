"""Measurements on colours and on masks (bool [64, 64]), which the judge is built from."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike

NEIGHBOURS = ((0, 1), (0, -1), (1, 0), (-1, 0))


def distances(pixels: np.ndarray, colours: ArrayLike) -> np.ndarray:
    """Euclidean RGB distances [..., N] of pixels [..., 3] to N colours."""
    listed = np.asarray(colours, float)
    squares = (pixels**2).sum(-1, keepdims=True) - 2 * pixels @ listed.T + (listed**2).sum(-1)
    return np.sqrt(squares.clip(0))


def components(mask: np.ndarray, at_least: int = 1) -> list[np.ndarray]:
    """The 4-connected pieces of a mask with `at_least` pixels, each a mask, largest first."""
    labels = np.where(mask, np.arange(1, mask.size + 1).reshape(mask.shape), 0)
    while True:
        best = np.maximum.reduce([labels, *(shifted(labels, step) for step in NEIGHBOURS)]) * mask
        if np.array_equal(best, labels):
            break
        # Each piece's name takes over its largest neighbour's, then names are followed to their end.
        up = np.arange(mask.size + 1)
        np.maximum.at(up, labels.ravel(), best.ravel())
        while not np.array_equal(up, up[up]):
            up = up[up]
        labels = up[labels]
    names, sizes = np.unique(labels[labels > 0], return_counts=True)
    order = np.argsort(-sizes, kind="stable")
    return [labels == names[k] for k in order if sizes[k] >= at_least]


def shifted(values: np.ndarray, step: tuple[int, int]) -> np.ndarray:
    """The array moved by one row or column, zeros moving in."""
    down, right = step
    moved = np.zeros_like(values)
    rows, columns = values.shape
    moved[max(down, 0) : rows + down, max(right, 0) : columns + right] = values[
        max(-down, 0) : rows - max(down, 0), max(-right, 0) : columns - max(right, 0)
    ]
    return moved


def eroded(mask: np.ndarray, times: int = 1) -> np.ndarray:
    """The mask without its outermost pixels, `times` over."""
    for _ in range(times):
        mask = np.logical_and.reduce([mask, *(shifted(mask, step) for step in NEIGHBOURS)])
    return mask


def filled(mask: np.ndarray) -> np.ndarray:
    """The mask with its holes closed: everything the outside cannot reach."""
    outside = ~np.pad(mask, 1)
    return ~components(outside)[0][1:-1, 1:-1]


def heart(mask: np.ndarray) -> tuple[float, float]:
    """Row and column of the thickest place: the middle of what erosion leaves last."""
    rest = mask
    while rest.any():
        # Four-neighbour erosion by itself finds diamonds; every second step takes the corners too.
        last, rest = rest, eroded(rest)
        if rest.any():
            last, rest = rest, _square_eroded(rest)
    return middle(last) if mask.any() else (31.5, 31.5)


def middle(mask: np.ndarray) -> tuple[float, float]:
    """Mean row and column of a mask; the picture's middle when it is empty."""
    rows, columns = np.nonzero(mask)
    return (rows.mean(), columns.mean()) if len(rows) else (31.5, 31.5)


def runs_on_arc(mask: np.ndarray, centre: tuple[float, float], radius: float, reach: float = 180) -> list[float]:
    """Lengths in pixels of the runs of True along an arc, from `reach` degrees left of up to as much right."""
    full = reach >= 180
    degrees = np.arange(-reach, reach if full else reach + 1)
    angle = np.deg2rad(degrees - 90)
    rows = np.rint(centre[0] + radius * np.sin(angle)).astype(int)
    columns = np.rint(centre[1] + radius * np.cos(angle)).astype(int)
    inside = (rows >= 0) & (rows < mask.shape[0]) & (columns >= 0) & (columns < mask.shape[1])
    hits = inside & mask[rows.clip(0, mask.shape[0] - 1), columns.clip(0, mask.shape[1] - 1)]
    if full and not hits.all():
        hits = np.roll(hits, -int(np.argmin(hits)))
    return [(stop - start) * radius * np.pi / 180 for start, stop in runs(hits)]


def runs(hits: np.ndarray) -> list[tuple[int, int]]:
    """Start and stop of each run of True in a row of bools, in order."""
    steps = np.diff(np.concatenate([[0], hits.astype(int), [0]]))
    return list(zip(np.nonzero(steps == 1)[0].tolist(), np.nonzero(steps == -1)[0].tolist(), strict=True))


def steady_count(
    mask: np.ndarray,
    centre: tuple[float, float],
    radii: Iterable[float],
    reach: float = 180,
    least: float = 1.6,
) -> int:
    """The number of spokes around a centre: the largest count of runs that two or more of the arcs agree on."""
    counts = [sum(run >= least for run in runs_on_arc(mask, centre, radius, reach)) for radius in radii]
    agreed = [count for count in counts if counts.count(count) >= 2]
    return max(agreed, default=0)


def resampled(mask: np.ndarray, size: int = 16) -> np.ndarray:
    """The mask's bounding box stretched to float [size, size], by area."""
    rows, columns = np.nonzero(mask)
    crop = mask[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1].astype(float)
    return _shares(size, crop.shape[0]) @ crop @ _shares(size, crop.shape[1]).T


def _shares(size: int, length: int) -> np.ndarray:
    """[size, length]: how much of each of `length` cells falls in each of `size` equal bins."""
    edges, cells = np.linspace(0, length, size + 1), np.arange(length)
    overlap = np.minimum(edges[1:, None], cells + 1) - np.maximum(edges[:-1, None], cells)
    return overlap.clip(0) / (length / size)


def _square_eroded(mask: np.ndarray) -> np.ndarray:
    rows = np.logical_and.reduce([mask, shifted(mask, (1, 0)), shifted(mask, (-1, 0))])
    return np.logical_and.reduce([rows, shifted(rows, (0, 1)), shifted(rows, (0, -1))])
