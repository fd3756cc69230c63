"""Runs a command and watches it: its time, and the memory of all its processes together."""

import os
import resource
import shlex
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import psutil

from store.errors import NaysayerError
from store.process.child import with_this_process

EVERY_S = 0.2
MB = 1e6


class Watched(NamedTuple):
    """`peak_mb` is the most that all processes had together (PSS: shared pages count once); `cpu_s` is of all."""

    wall_s: float
    cpu_s: float
    peak_mb: float


def watch(command: Sequence[str], environment: Mapping[str, str], folder: Path) -> Watched:
    """Runs the command in that folder to its end; what it prints goes to stderr.

    Raises NaysayerError when it fails, or where the system does not tell PSS.
    """
    if not hasattr(psutil.Process().memory_full_info(), "pss"):
        raise NaysayerError("the memory of several processes together is only measured on Linux; run the bench there")
    home = {"PYTHONPATH": str(Path(__file__).parents[2])}
    began, before, peak = time.monotonic(), _cpu_of_children(), 0
    process = subprocess.Popen(with_this_process(command), cwd=folder, env={**environment, **home}, stdout=2)
    try:
        while process.poll() is None:
            peak = max(peak, _pss(process.pid))
            time.sleep(EVERY_S)
    finally:
        process.kill()
        process.wait()
    if process.returncode:
        raise NaysayerError(f"`{shlex.join(command)[-200:]}` ended with {process.returncode}; its message is above")
    return Watched(time.monotonic() - began, _cpu_of_children() - before, peak / MB)


def own_environment(data_dir: Path) -> dict[str, str]:
    """This process's environment without its settings of Naysayer, and with that store."""
    others = {name: value for name, value in os.environ.items() if not name.startswith("NAYSAYER_")}
    return others | {"NAYSAYER_DATA_DIR": str(data_dir)}


def _cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _pss(pid: int) -> int:
    """Bytes; 0 when a process ended meanwhile."""
    try:
        first = psutil.Process(pid)
        return sum(one.memory_full_info().pss for one in (first, *first.children(recursive=True)))
    except psutil.Error:
        return 0
