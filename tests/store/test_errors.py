import inspect
import re

import pytest

import store.errors
from store.errors import NaysayerError, NonFiniteLoss, OtherBase, TooFewRejects, UnknownVersion

CLASSES = [cls for _, cls in inspect.getmembers(store.errors, inspect.isclass)]


def drawn_tree() -> dict[str, str]:
    """Name of each error drawn in the docstring, with its parent's by the depth it is drawn at."""
    parents, path = {}, ["NaysayerError"]
    for line in store.errors.__doc__.splitlines():
        if found := re.match(r"([│ ]*)[├└]── (\w+)", line):
            depth = len(found[1]) // 4 + 1
            path[depth:] = [found[2]]
            parents[found[2]] = path[depth - 1]
    return parents


def test_every_error_is_drawn_under_its_parent() -> None:
    assert drawn_tree() == {cls.__name__: cls.__base__.__name__ for cls in CLASSES if cls is not NaysayerError}


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OtherBase("old", "new", "the VAE differs"), ["old", "new", "NAYSAYER_MODEL", "NAYSAYER_DATA_DIR"]),
        (UnknownVersion(9, 3), ["9", "v3", "naysayer versions"]),
        (TooFewRejects(3, 40), ["3 rejects", "40 needed", "NAYSAYER_RETRAIN_AFTER"]),
        (NonFiniteLoss(7, float("nan")), ["nan", "step 7", "NAYSAYER_LEARNING_RATE"]),
    ],
)
def test_a_message_says_what_was_found_what_was_needed_and_what_to_do(error: NaysayerError, words: list[str]) -> None:
    assert all(word in str(error) for word in words)


def test_nothing_is_to_be_lowered_that_is_at_its_least() -> None:
    assert str(TooFewRejects(0, 1)) == "0 rejects in the pool, 1 needed; collect more votes"
