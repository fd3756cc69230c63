"""Runs a command of the trainer, and tells when a UNet is in this process: python -m bench.turns.child LOG generate

It knows nothing of turns: it counts the UNets that exist, from before their weights are read until Python has freed
them. Each change is a line of LOG: the machine's monotonic clock, the process, and + or -.
"""

import os
import sys
import time
import weakref
from functools import wraps
from pathlib import Path
from typing import Any

from diffusers import UNet2DConditionModel

from store.process import run_command


def watch(log: Path) -> None:
    """From now on the log tells when the first UNet comes and when the last one goes."""
    make, there = UNet2DConditionModel.__init__, [0]

    def count(change: int) -> None:
        was, there[0] = there[0], there[0] + change
        if 0 in (was, there[0]):
            with log.open("a") as file:
                file.write(f"{time.monotonic()} {os.getpid()} {'+' if there[0] else '-'}\n")

    @wraps(make)
    def counted(unet: UNet2DConditionModel, *args: Any, **kwargs: Any) -> None:
        count(1)
        make(unet, *args, **kwargs)
        weakref.finalize(unet, count, -1)

    UNet2DConditionModel.__init__ = counted


def main() -> None:
    from trainer.commands import app

    log, *command = sys.argv[1:]
    watch(Path(log))
    run_command(lambda: app(command))


if __name__ == "__main__":
    main()
