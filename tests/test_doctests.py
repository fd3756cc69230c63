"""Every example in a docstring shows what the code really gives."""

import doctest
from importlib import import_module
from pathlib import Path

import pytest

PACKAGES = ("store", "feedback", "trainer", "ui", "bench")
FOLDER = Path(__file__).parent.parent
WITH_EXAMPLES = sorted(
    ".".join(path.relative_to(FOLDER).with_suffix("").parts)
    for package in PACKAGES
    for path in (FOLDER / package).rglob("*.py")
    if ">>> " in path.read_text()
)


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_the_examples_in_docstrings_are_true(name: str) -> None:
    found = doctest.testmod(import_module(name))
    assert found.attempted > 0
    assert found.failed == 0
