"""How much memory a device has, and how much of it is free for this process."""

import resource
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import psutil
import torch

UNLIMITED = 2**60
"""What cgroups of version 1 give as a limit where there is none is above this."""
OWN_CGROUPS, ALL_CGROUPS = Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")


class Memory(NamedTuple):
    """Bytes: what a model may take now, and what it may take when no other is there."""

    free: int
    whole: int


def memory_of(device: torch.device) -> Memory:
    """The memory of a device; of an accelerator that shares the machine's, that."""
    if device.type == "cuda":
        return Memory(*torch.cuda.mem_get_info(device))
    machine = psutil.virtual_memory()
    found = [Memory(machine.available, machine.total), *group_limits(OWN_CGROUPS, ALL_CGROUPS)]
    most, _ = resource.getrlimit(resource.RLIMIT_AS)
    if most != resource.RLIM_INFINITY:
        found.append(Memory(most - psutil.Process().memory_info().vms, most))
    return Memory(max(0, min(one.free for one in found)), min(one.whole for one in found))


def group_limits(own: Path, root: Path) -> Iterator[Memory]:
    """What each cgroup that this process is in, and each one above it, leaves free and allows in all.

    `own` is a file as /proc/self/cgroup, `root` where the groups are mounted. Pages of files do not count as used: the
    kernel drops them before it kills anybody. Source: the kernel's documentation of cgroups, versions 1 and 2.
    """
    for line in own.read_text().splitlines() if own.is_file() else []:
        _, controllers, path = line.split(":", 2)
        if "memory" in controllers.split(","):
            yield from _up(root / "memory", path, ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_"))
        elif not controllers:
            yield from _up(root, path, ("memory.max", "memory.current", ""))
            yield from _up(root / "unified", path, ("memory.max", "memory.current", ""))


def _up(root: Path, path: str, names: tuple[str, str, str]) -> Iterator[Memory]:
    limit_name, used_name, prefix = names
    folder = root / path.lstrip("/")
    for group in (folder, *folder.parents):
        limit = _number(group / limit_name)
        if limit is not None and limit < UNLIMITED:
            used = _number(group / used_name) or 0
            yield Memory(limit - max(0, used - _of_files(group / "memory.stat", prefix)), limit)
        if group == root:
            return


def _number(path: Path) -> int | None:
    """None where there is no such file, or no limit (`max`)."""
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None


def _of_files(path: Path, prefix: str) -> int:
    names = (f"{prefix}inactive_file", f"{prefix}active_file")
    try:
        rows = dict(line.split() for line in path.read_text().splitlines())
    except (OSError, ValueError):
        return 0
    return sum(int(rows.get(name, 0)) for name in names)


def give_back(device: torch.device) -> None:
    """Gives what torch and the C library keep for later back to the system."""
    import ctypes
    import gc
    from contextlib import suppress

    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)  # glibc's; others give freed memory back by themselves
