"""How the page process is started.

`python -m ui.run.serve run …` is `streamlit run …` under the configuration beside `ui/server.py` and no other: files of
a person (`~/.streamlit/config.toml`) or of the current folder, and STREAMLIT_ variables, are for other programs.
"""

import errno
import os
import socket
import sys
from importlib.util import find_spec
from ipaddress import ip_network
from pathlib import Path

from feedback.runs import bury_dead_runs
from store.errors import BadRequest, StoreError
from store.migrate import open_store
from store.settings import Settings
from store.settings.file import read_settings

SERVER = Path(__file__).parents[1] / "server.py"
SIGNS_IN = ("authlib", "httpx")


def pages_command(settings: Settings) -> list[str]:
    """The command line that serves the pages at the address of the settings.

    Looks and privacy options are in `ui/.streamlit/config.toml`. What safety depends on is repeated here.
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
        "server.maxUploadSize": 1,
        "server.maxWidgetStateSize": 2,
        "server.maxMessageSize": 20,
        "browser.gatherUsageStats": "false",
        "client.showErrorDetails": "none",
        "client.toolbarMode": "minimal",
    }
    options = [part for name, value in flags.items() for part in (f"--{name}", str(value))]
    return [sys.executable, "-m", "ui.run.serve", "run", str(SERVER), *options]


def check_port(settings: Settings) -> None:
    """Raises BadRequest when the pages cannot listen at their address."""
    where = f"NAYSAYER_HOST {settings.host} and NAYSAYER_PORT {settings.port}"
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise BadRequest(
                    f"port {settings.port} is taken, perhaps by another Naysayer; stop that one or set NAYSAYER_PORT"
                ) from error
            raise BadRequest(f"the pages cannot listen at {where} ({error.strerror}); choose others") from error


def check_store(settings: Settings) -> None:
    """Opens the store once, so that what is wrong with it is said before anything starts; marks dead retrains as such.

    Raises StoreError when the data folder cannot be written to.
    """
    engine = open_store(settings)
    bury_dead_runs(engine)
    engine.dispose()
    if not os.access(settings.data_dir, os.W_OK):
        raise StoreError(
            f"the data folder {settings.data_dir} cannot be written to, so no vote and no picture could be kept; "
            "give this user the right to write there, or set NAYSAYER_DATA_DIR"
        )


def become_pages(settings: Settings) -> None:
    """Serves the pages in place of this process, so that its signals are theirs."""
    check_port(settings)
    check_store(settings)
    command = pages_command(settings)
    os.execv(command[0], command)


def trusted_addresses(proxies: str) -> str:
    """The proxies as uvicorn takes them, also as a listener at `::` sees those with IPv4 addresses.

    >>> trusted_addresses("10.0.0.0/8,::1")
    '10.0.0.0/8,::1,::ffff:10.0.0.0/104'
    """
    networks = [ip_network(name) for name in proxies.split(",") if name]
    mapped = [f"::ffff:{one.network_address}/{96 + one.prefixlen}" for one in networks if one.version == 4]
    return ",".join([*filter(None, proxies.split(",")), *mapped])


def main() -> None:
    """Streamlit's own command line, without the configuration of others."""
    for name in [name for name in os.environ if name.startswith("STREAMLIT_")]:
        del os.environ[name]
    from streamlit import config
    from streamlit.web import cli

    os.environ["FORWARDED_ALLOW_IPS"] = trusted_addresses(read_settings().trusted_proxies)

    config.get_config_files = lambda file_name: [str(SERVER.parent / ".streamlit" / file_name)]
    cli.main(prog_name="naysayer pages")


if __name__ == "__main__":
    main()
