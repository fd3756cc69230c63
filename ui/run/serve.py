"""How the page process is started."""

import sys
from importlib.util import find_spec
from pathlib import Path

from store.errors import BadRequest
from store.settings import Settings

SERVER = Path(__file__).parents[1] / "server.py"
SIGNS_IN = ("authlib", "httpx")


def pages_command(settings: Settings) -> list[str]:
    """The command line that serves the pages at the address of the settings.

    Looks and privacy options are in `ui/.streamlit/config.toml`, which Streamlit reads because it is beside the script.
    What safety depends on is repeated here, because flags win over every configuration file.
    Raises BadRequest when accounts are asked for and the libraries that sign in are missing.
    """
    if missing := [name for name in SIGNS_IN if settings.sign_in == "oidc" and find_spec(name) is None]:
        raise BadRequest(f'NAYSAYER_SIGN_IN is oidc, which needs {" and ".join(missing)}; pip install "naysayer[oidc]"')
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
