"""How the page process is started."""

import sys
from pathlib import Path

from store.settings import Settings

SERVER = Path(__file__).with_name("server.py")


def pages_command(settings: Settings) -> list[str]:
    """The command line that serves the pages at the address of the settings.

    Looks and privacy options stand in `ui/.streamlit/config.toml`, which Streamlit reads because it lies beside
    the script; what safety hangs on is said here as well, because flags win over every configuration file.
    """
    flags = {
        "server.address": settings.host,
        "server.port": settings.port,
        "server.headless": "true",
        "server.enableXsrfProtection": "true",
        "server.enableCORS": "true",
        "server.fileWatcherType": "none",
        "browser.gatherUsageStats": "false",
        "client.showErrorDetails": "none",
        "client.toolbarMode": "minimal",
    }
    options = [part for name, value in flags.items() for part in (f"--{name}", str(value))]
    return [sys.executable, "-m", "streamlit", "run", str(SERVER), *options]
