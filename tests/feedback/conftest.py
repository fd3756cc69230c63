import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def real_pictures() -> Path:
    """The folder of pictures that nobody here wrote."""
    folder = os.environ.get("NAYSAYER_REALDATA")
    if not folder:
        pytest.skip("NAYSAYER_REALDATA names no folder of real pictures")
    return Path(folder) / "images"
