"""How a command ends: errors in one line, exit codes, and signals that ask it to stop."""

import errno
import os
import signal
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from store.errors import Busy, Interrupted, NaysayerError
from store.settings.checks import without_password
from store.settings.file import read_data_dir
from store.settings.names import UnknownSetting, unknown_names
from store.settings.sources import SECRETS, read_dotenv

TRY_AGAIN = 75
"""Exit code when the same command may succeed later (EX_TEMPFAIL of sysexits.h)."""
DETAILS = "naysayer-error.log"
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
FULL_WORDS = ("disk is full", "could not extend file", "No space left")
"""How SQLite, PostgreSQL and safetensors say it."""
DATABASE_FAILED = ("OperationalError", "InterfaceError", "DatabaseError")
"""What drivers raise when the database fails, not the program."""


def run_command(command: Callable[[], object]) -> None:
    """Runs a command line. An error becomes one line and exit code 1, or 75 when trying again later helps.

    Names in the environment that look like ours and are no settings are said first. A command that reads the settings
    stops at a misspelt one; another name, such as those that Kubernetes gives a service, changes nothing.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a name that is no text must not end a message
    for sentence in unknown_names(os.environ, "the environment").values():
        print(f"naysayer: {sentence}", file=sys.stderr)
    try:
        command()
    except UnknownSetting:
        sys.exit(1)
    except Exception as error:
        print(f"naysayer: {sentence_of(error)}", file=sys.stderr)
        sys.exit(TRY_AGAIN if isinstance(error, Busy | Interrupted) else 1)


def sentence_of(error: Exception) -> str:
    """What happened, in one sentence for people. Of what nobody foresaw, the details go into a file that it names."""
    what = _hide_secrets(" ".join(str(getattr(error, "orig", error)).split()))
    if isinstance(error, NaysayerError):
        return str(error)
    if is_disk_full(error):
        return f"disk full{_at(error)}: nothing more can be written; make room, then try again"
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"{error.strerror}{_at(error)}; check the name, and that you may read and write there"
    if isinstance(error, OSError) and what:
        return what
    if type(error).__name__ in DATABASE_FAILED:
        return f"the database cannot be used ({what[:300]}); `naysayer doctor` may know more"
    if isinstance(error, OverflowError) or type(error).__name__ == "DataError":
        return f"a number is too large ({what[:300]}); give a smaller one"
    return f"something unforeseen happened ({type(error).__name__}: {what[:300]}); {_write_details(error)}"


def is_disk_full(error: BaseException | None) -> bool:
    """Whether an error, or what caused it, is a disk without room."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in FULL:
            return True
        if any(words in str(error) for words in FULL_WORDS):
            return True
        error = error.__cause__ or error.__context__
    return False


def _at(error: Exception) -> str:
    name = getattr(error, "filename", None)
    return f": {name!r}" if isinstance(name, bytes) else f": {name}" if name else ""


def _write_details(error: Exception) -> str:
    """Adds the error with its traceback to a file; where that is, in words."""
    text = _hide_secrets("".join(traceback.format_exception(error)))
    for folder in (_data_dir(), Path(tempfile.gettempdir())):
        if folder is None or not folder.is_dir():
            continue
        path = folder / DETAILS
        with suppress(OSError), path.open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(f"{datetime.now():%Y-%m-%d %H:%M:%S} {sys.argv[:3]}\n{text}\n")
            return f"the details are in {path.resolve()}; please report them"
    return "the details could not be written anywhere"


def _data_dir() -> Path | None:
    try:
        return read_data_dir()
    except (NaysayerError, OSError):
        return None


def _hide_secrets(text: str) -> str:
    """The text without the value of any secret of this process."""
    try:
        values = {**read_dotenv(), **os.environ}
    except (NaysayerError, OSError):
        values = dict(os.environ)
    for field in SECRETS:
        if secret := values.get(f"NAYSAYER_{field.upper()}"):
            text = text.replace(secret, "***")
    return without_password(text)


@contextmanager
def catch_stop_signals() -> Iterator[threading.Event]:
    """Inside it, SIGTERM, SIGINT and SIGHUP set the event and do nothing else. An ignored SIGHUP (nohup) stays so."""
    stop = threading.Event()
    numbers = [signal.SIGTERM, signal.SIGINT]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in numbers}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
