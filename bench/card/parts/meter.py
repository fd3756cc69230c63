"""What work takes of a device's memory: the peak, how often it ran out, and a cap that makes a large card small."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psutil
import torch
from accelerate.utils.memory import clear_device_cache

from bench.card.computed import GB
from trainer.base.free import Memory, memory_of

OWN_PEAK = "what torch reserved on the card"
RESIDENT = "resident memory of this process when the work was done"


class Meter:
    """Peaks of one device, in bytes since `start`; on a CPU the memory that is resident now."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._ooms = 0

    @property
    def what(self) -> str:
        """What a peak is."""
        return OWN_PEAK if self.device.type == "cuda" else RESIDENT

    def start(self) -> None:
        """Frees what nobody uses, and counts from here."""
        gc.collect()
        clear_device_cache(garbage_collection=True)
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
            torch.cuda.reset_peak_memory_stats(self.device)
        self._ooms = self._all_ooms()

    @property
    def peak(self) -> int:
        """The most bytes that were taken since then."""
        if self.device.type == "cuda":
            return int(torch.cuda.max_memory_reserved(self.device))
        return int(psutil.Process().memory_info().rss)

    @property
    def ooms(self) -> int:
        """How often memory ran out since then."""
        return self._all_ooms() - self._ooms

    def _all_ooms(self) -> int:
        return int(torch.cuda.memory_stats(self.device).get("num_ooms", 0)) if self.device.type == "cuda" else 0

    @property
    def whole(self) -> int:
        """All of the device's memory."""
        if self.device.type == "cuda":
            return int(torch.cuda.mem_get_info(self.device)[1])
        return int(psutil.virtual_memory().total)

    @property
    def for_us(self) -> Memory:
        """What this process may take in all: what is free, and on a card what torch holds already."""
        memory = memory_of(self.device)
        own = int(torch.cuda.memory_reserved(self.device)) if self.device.type == "cuda" else 0
        return memory._replace(free=memory.free + own)

    @contextmanager
    def capped(self, most: int) -> Iterator[None]:
        """Inside it torch gets, and the card says it has, at most so many bytes; counters begin at zero.

        Without the second, what asks how much is free would choose as on the large card.
        """
        self.start()
        if self.device.type != "cuda":
            yield
            return
        real = torch.cuda.mem_get_info
        torch.cuda.set_per_process_memory_fraction(min(1.0, most / self.whole), self.device)

        def small(_device: Any = None) -> tuple[int, int]:
            return max(0, most - torch.cuda.memory_reserved(self.device)), most

        torch.cuda.mem_get_info = small  # type: ignore[assignment]
        try:
            yield
        finally:
            torch.cuda.mem_get_info = real
            torch.cuda.set_per_process_memory_fraction(1.0, self.device)


def gigabytes(count: float) -> str:
    """
    >>> gigabytes(7.71e9)
    '7.7 GB'
    """
    return f"{count / GB:.1f} GB"
