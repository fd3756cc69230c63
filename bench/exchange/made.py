"""Many pictures as another program writes them: of SDXL's size, each with its own pixels, prompt and seed."""

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

SIDE = 1024
SAME_PROMPT = 2
"""Pictures of each prompt, so that votes on them make pairs."""
NOISE = 0.3
"""Standard deviation: a picture then has about one megabyte."""


def make_pictures(folder: Path, count: int, processes: int) -> Iterator[None]:
    """Draws `count` PNG with A1111's text into a new folder; yields once for each that is there."""
    folder.mkdir()
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        yield from pool.map(partial(_make, folder), range(count), chunksize=20)


def infotext(number: int) -> str:
    """What A1111 writes beside such a picture."""
    return (
        f"a fox beside house {number // SAME_PROMPT}\nNegative prompt: blurry\nSteps: 20, Sampler: Euler, "
        f"CFG scale: 7, Seed: {number}, Size: {SIDE}x{SIDE}, Model: builtin, Version: v1.10.1"
    )


_pattern = None


def _make(folder: Path, number: int) -> None:
    """The same pattern with noise, moved by another distance each time: no two are alike in the first million."""
    import numpy as np
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    global _pattern
    if _pattern is None:
        rows, columns = np.mgrid[0:SIDE, 0:SIDE]
        waves = [60 * np.sin(columns / (50 + 9 * k)) + 50 * np.cos(rows / (70 + 5 * k)) for k in range(3)]
        noise = np.random.default_rng(0).normal(0, NOISE, (SIDE, SIDE, 3))
        _pattern = (128 + np.stack(waves, -1) + noise).clip(0, 255).astype("uint8")
    texts = PngInfo()
    texts.add_text("parameters", infotext(number))
    moved = Image.fromarray(np.roll(_pattern, divmod(number, SIDE), (0, 1)))
    moved.save(folder / f"{number:06d}.png", pnginfo=texts, compress_level=1)
