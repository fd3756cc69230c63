"""Makes the folder for what the tests write, and prints it: python -m tests.scratch

In memory where there is enough of it: a disk takes ten milliseconds to confirm a commit, and the tests wait for tens of
thousands of them.
"""

import shutil
import tempfile
from pathlib import Path

import psutil

MEMORY = Path("/dev/shm")
FREE_IN_MEMORY, FREE_MEMORY = 6 * 10**9, 12 * 10**9  # bytes


def parent_folder() -> Path | None:
    """The file system in memory; None, the usual folder for temporary files, where it or the memory is small."""
    if not MEMORY.is_dir() or psutil.virtual_memory().available < FREE_MEMORY:
        return None
    return MEMORY if shutil.disk_usage(MEMORY).free >= FREE_IN_MEMORY else None


if __name__ == "__main__":
    folder = Path(tempfile.mkdtemp(prefix="naysayer-tests-", dir=parent_folder()))
    folder.chmod(0o755)  # PostgreSQL runs as another user
    print(folder)
