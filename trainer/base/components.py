"""How far the libraries are with loading a pipeline's components."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from diffusers.utils import logging
from tqdm import tqdm

from feedback.retrain.progress import BAR

SHOWN_AFTER_S = 2
OF_COMPONENTS = "Loading pipeline"
"""So begins the title of diffusers' bar over them; there is another one over the shards of a component."""


@contextmanager
def told(base: Path, tell: Callable[[float], object] | None = None) -> Iterator[None]:
    """Inside, `tell` gets the share of each component of the base that is loaded; by default a bar, over two seconds.

    Takes the place of diffusers' own bar, which counts a scheduler as much as a UNet.
    """
    own = logging.tqdm
    with tqdm(total=1.0, desc="loading the model", bar_format=BAR, delay=SHOWN_AFTER_S, disable=bool(tell)) as bar:
        advance = tell or bar.update

        def counted(things: Iterable[Any], desc: str = "", **how: Any) -> Iterable[Any]:
            return components(list(things)) if desc.startswith(OF_COMPONENTS) else own(things, desc=desc, **how)

        def components(listed: list[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
            shares = _shares(base, [name for name, _ in listed])
            for (name, kind), share in zip(listed, shares, strict=True):
                yield name, kind
                advance(share)

        logging.tqdm = counted
        try:
            yield
        finally:
            logging.tqdm = own


def _shares(base: Path, names: list[str]) -> list[float]:
    """What part of the work each component is: by the bytes of its files; of a single file, all the same."""
    sizes = [sum(file.stat().st_size for file in (base / name).glob("*")) if base.is_dir() else 1 for name in names]
    return [size / max(1, sum(sizes)) for size in sizes]
