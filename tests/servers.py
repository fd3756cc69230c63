"""PostgreSQL servers of the tests."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

from sqlalchemy import create_engine, make_url, text

from tests.waiting import PATIENCE_S


class OwnServer(NamedTuple):
    """A PostgreSQL server for one file of tests, which may restart it."""

    url: str
    restart: Callable[[str], None]


@contextmanager
def fresh_database(server: str) -> Iterator[str]:
    name = f"naysayer_test_{uuid4().hex}"
    admin = create_engine(server, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    admin.dispose()  # a test may restart the server
    yield make_url(server).set(database=name).render_as_string(hide_password=False)
    with admin.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


def postgres_programs() -> Path | None:
    found = shutil.which("initdb")
    folders = [Path(found).parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return next((folder for folder in reversed(folders) if (folder / "initdb").exists()), None)


@contextmanager
def throw_away_server(programs: Path, folder: Path) -> Iterator[OwnServer]:
    # PostgreSQL refuses to run as root; its packages come with a user for it.
    as_user: dict = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
    if as_user:
        shutil.chown(folder, "postgres", "postgres")
    data, log = folder / "cluster", folder / "log"

    def call(program: str, *arguments: str) -> None:
        command = [str(programs / program), "-D", str(data), *arguments]
        subprocess.run(command, check=True, cwd=folder, stdout=subprocess.DEVNULL, timeout=PATIENCE_S, **as_user)

    call("initdb", "-U", "naysayer", "-A", "trust", "-E", "UTF8", "--no-sync")
    call("pg_ctl", "-w", "-l", str(log), "-o", f"-k {folder} -c listen_addresses='' -c fsync=off", "start")
    try:
        yield OwnServer(
            f"postgresql+psycopg://naysayer@/postgres?host={folder}",
            lambda mode: call("pg_ctl", "-w", "-l", str(log), "-m", mode, "restart"),
        )
    finally:
        call("pg_ctl", "-w", "-m", "immediate", "stop")
