"""Guardrails: has a version that raters like lost something they do not see? Measured only from pixels."""

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import inf

import numpy as np
from PIL import Image as Picture

from feedback.statistics import Interval, mean_interval, wilson

MAY_SHIFT = Interval(0.8, 1.25)
"""Of saturation and contrast, beside what is compared with; the gate and the choice of a strength share it."""
MOST_SAMENESS = 0.1
"""How much of the champion's diversity may go; the choice of a strength compares with the base and allows more."""
SIDE = 8
BLACK = 0.03
IDENTICAL = 0.01
FEWEST = 8

Scorer = Callable[[Picture.Image, str], float]


@dataclass(frozen=True)
class Measures:
    """One picture: means over its pixels, each from 0 to 1, and the picture in 8 by 8 pixels."""

    brightness: float
    saturation: float
    contrast: float
    thumbnail: str
    prompt_score: float | None = None


@dataclass(frozen=True)
class Guardrail:
    """One comparison of a version with the champion: `interval` (95 %) against what is allowed."""

    name: str
    interval: Interval
    is_broken: bool
    sentence: str


def measure(png: bytes, prompt: str = "", scorer: Scorer | None = None) -> Measures:
    """What the guardrails know of a picture; `scorer`, where one is given, says how well it follows its prompt."""
    with Picture.open(io.BytesIO(png), formats=("PNG",)) as picture:
        rgb = picture.convert("RGB")
        small = rgb.resize((SIDE, SIDE), Picture.Resampling.BOX)
    pixels = np.asarray(rgb, dtype=np.float32) / 255
    high, low = pixels.max(axis=2), pixels.min(axis=2)
    luma = pixels @ np.array([0.299, 0.587, 0.114], dtype=np.float32)
    saturation = np.where(high > 0, (high - low) / np.maximum(high, 1e-6), 0.0)
    return Measures(
        brightness=float(luma.mean()),
        saturation=float(saturation.mean()),
        contrast=float(luma.std()),
        thumbnail=small.tobytes().hex(),
        prompt_score=None if scorer is None else float(scorer(rgb, prompt)),
    )


def compare(
    challenger: Mapping[tuple[int, int], Measures], champion: Mapping[tuple[int, int], Measures]
) -> list[Guardrail]:
    """Every guardrail over the pairs (keys) that both have drawn; empty with fewer than eight."""
    pairs = sorted(challenger.keys() & champion.keys())
    if len(pairs) < FEWEST:
        return []
    new, old = [challenger[pair] for pair in pairs], [champion[pair] for pair in pairs]
    apart_new, apart_old = _distances(new), _distances(old)
    found = [
        _shift("diversity", apart_new.mean(axis=1), apart_old.mean(axis=1), Interval(1 - MOST_SAMENESS, inf)),
        _shift("saturation", [m.saturation for m in new], [m.saturation for m in old], MAY_SHIFT),
        _shift("contrast", [m.contrast for m in new], [m.contrast for m in old], MAY_SHIFT),
        _share("black or blank pictures", [_is_blank(m) for m in new], [_is_blank(m) for m in old]),
        _share("near-identical pictures", apart_new.min(axis=1) < IDENTICAL, apart_old.min(axis=1) < IDENTICAL),
    ]
    scored = [(a, b) for a, b in zip(new, old, strict=True) if None not in (a.prompt_score, b.prompt_score)]
    if scored:
        scores = ([float(m.prompt_score or 0) for m in side] for side in zip(*scored, strict=True))
        found.append(_shift("prompt followed", next(scores), next(scores), Interval(0.98, inf)))
    return found


def _distances(measured: Sequence[Measures]) -> np.ndarray:
    """Root mean square difference between each two thumbnails; a picture is infinitely far from itself."""
    rows = np.array([list(bytes.fromhex(m.thumbnail)) for m in measured], dtype=np.float32) / 255
    squares = (rows**2).sum(axis=1)
    apart = np.sqrt(np.maximum(squares[:, None] + squares[None, :] - 2 * rows @ rows.T, 0) / rows.shape[1])
    np.fill_diagonal(apart, np.nan)
    return np.ma.masked_invalid(apart)


def _is_blank(measured: Measures) -> bool:
    return measured.brightness < BLACK or measured.contrast < BLACK / 3


def _shift(name: str, new: Sequence[float], old: Sequence[float], allowed: Interval) -> Guardrail:
    """A mean whose ratio to the old one must stay within `allowed`; broken when the whole interval is beyond it."""
    scale = max(abs(float(np.mean(old))), 1e-6)
    low, high = mean_interval([(float(a) - float(b)) / scale for a, b in zip(new, old, strict=True)])
    is_broken = 1 + high < allowed.low or 1 + low > allowed.high
    limit = change_words(allowed.low - 1)
    if allowed.high < inf:
        limit += f" or {change_words(allowed.high - 1)}"
    moved = " to ".join(dict.fromkeys((change_words(low), change_words(high))))
    return Guardrail(name, Interval(low, high), is_broken, f"{name}: {moved}; at most {limit} is allowed")


def change_words(share: float) -> str:
    """A change of a mean, in words.

    >>> change_words(-0.031), change_words(0.25), change_words(0.004)
    ('3 % less', '25 % more', 'no change')
    """
    size = round(100 * abs(share))
    return f"{size} % {'less' if share < 0 else 'more'}" if size else "no change"


def _share(name: str, new: Sequence[bool], old: Sequence[bool]) -> Guardrail:
    """A share that may not grow; broken when the whole interval is above the champion's share plus 2 %."""
    n, bad, before = len(new), int(np.sum(new)), float(np.mean(old))
    interval = wilson(bad, n)
    return Guardrail(
        name,
        interval,
        interval.low > before + 0.02,
        f"{name}: {bad} of {n}, against {round(before * n)} of {n}",
    )
