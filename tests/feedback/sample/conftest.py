from collections.abc import Callable

import pytest
from sqlalchemy import Engine

from feedback.sample.prompts import add_prompts
from feedback.versions import promote


@pytest.fixture
def ready(any_engine: Engine, publish_version: Callable) -> Engine:
    """A store with three prompts and v1 as champion."""
    add_prompts(any_engine, ["a red star", "a blue hand", "a green word"])
    publish_version(any_engine, 1)
    promote(any_engine, 1)
    return any_engine
