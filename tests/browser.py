"""Makes sure that a Chromium is there for the browser tests: python -m tests.browser

Looks for one on the machine, then asks Playwright for its own, then, as root on Debian, installs the package.
"""

import os
import shutil
import subprocess
import sys

from bench.rate.browser import find_chromium


def ensure_chromium() -> str | None:
    """Path of a Chromium, fetched when missing; None where none can be had."""
    if found := find_chromium():
        return found
    subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=False)
    if found := find_chromium():
        return found
    if shutil.which("apt-get") and os.geteuid() == 0:
        subprocess.run(["apt-get", "update", "-qq"], check=False)
        subprocess.run(["apt-get", "install", "-y", "-qq", "chromium"], check=False)
    return find_chromium()


if __name__ == "__main__":
    chromium = ensure_chromium()
    if chromium is None:
        line = "!" * 100
        sys.exit(
            f"{line}\nNO BROWSER: no Chromium on this machine, and neither Playwright nor apt-get could bring one.\n"
            "The browser tests cannot run, so the tree is not fully tested. Install one or set NAYSAYER_CHROMIUM;\n"
            f"`make quick` runs the tests that need none.\n{line}"
        )
    print(f"browser tests use {chromium}")
