"""How far an import is, as a bar on the command line."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm

OnProgress = Callable[[int, int], None]
"""Is told how many of how many files are done."""


@contextmanager
def as_bar(words: str) -> Iterator[OnProgress]:
    """A bar with an estimate, for what lasts longer than a second."""
    with tqdm(desc=words, unit=" pictures", delay=1) as bar:

        def on_progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield on_progress
