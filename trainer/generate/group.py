"""`naysayer generate --gpus all`: a worker process on each card, which starts again when it ends by itself.

Each is a worker like any other: it claims what it draws, and one of all workers of the store leads.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from store.errors import BadRequest, NaysayerError
from store.process import catch_stop_signals
from store.process.children import POLL_S, Child, stop_all

STOP_WAIT_S = 600
"""How long a process may take to finish its batch and end."""
TRIES = 3
"""So often in a row every process may end soon after its start before nothing is tried any more."""
GENERATE = (sys.executable, "-m", "trainer.commands", "generate")
VISIBLE = "CUDA_VISIBLE_DEVICES"


class Place(NamedTuple):
    """Where one process draws: how people call it, and the environment that puts it there."""

    name: str
    environment: Mapping[str, str]


def run_group(places: Sequence[Place], *, once: bool) -> None:
    """Runs a worker at each place until a signal stops all of them, or, with `once`, until all have ended in order.

    Raises NaysayerError when none of them stays up.
    """
    from trainer.sample.worker import worker_name

    options = ["--once"] if once else []
    with catch_stop_signals() as stop:
        children: list[Child] = []
        try:
            for place in places:
                command = [*GENERATE, "--seat", place.name, "--worker", worker_name(), *options]
                name = f"worker on {place.name}" if len(places) > 1 else "worker"
                children.append(Child(name, command, environment=place.environment, label=place.name))
            while not stop.is_set() and not all(child.is_done() for child in children):
                for child in children:
                    if not child.is_done():
                        child.keep_running("the others draw on")
                _refuse_hopeless(children)
                stop.wait(POLL_S)
        finally:
            stop_all(children, STOP_WAIT_S)


def _refuse_hopeless(children: Sequence[Child]) -> None:
    if all(child.failures >= TRIES and not child.is_running() for child in children):
        raise NaysayerError(f"no process stays up, so nothing is drawn; the last one said: {children[-1].words()}")


def pick_cards(wanted: str) -> list[Place]:
    """A place on each card that `wanted` names: all, how many, or which. Raises BadRequest."""
    import torch

    count = torch.cuda.device_count()
    if count == 0:
        built = "this torch was built without CUDA" if torch.version.cuda is None else "torch finds none"
        raise BadRequest(
            f"--gpus {wanted} needs cards, and {built} on this machine; install a torch for your cards, or leave "
            "--gpus out (`--processes N` draws with several processes on the CPU)"
        )
    visible = os.environ.get(VISIBLE)
    ids = [one.strip() for one in visible.split(",")] if visible else [str(number) for number in range(count)]
    threads = _threads(len(numbers := card_numbers(wanted, count)))
    return [Place(f"card {number}", threads | {VISIBLE: ids[number], "NAYSAYER_DEVICE": "cuda"}) for number in numbers]


def card_numbers(wanted: str, count: int) -> list[int]:
    """The cards that `wanted` names, of so many that are there. Raises BadRequest.

    >>> card_numbers("all", 4), card_numbers("2", 4), card_numbers("0,2", 4), card_numbers("3,", 4)
    ([0, 1, 2, 3], [0, 1], [0, 2], [3])
    """
    if wanted.strip() == "all":
        return list(range(count))
    parts = [part.strip() for part in wanted.split(",") if part.strip()]
    if not parts or not all(part.isascii() and part.isdigit() and len(part) < 5 for part in parts):
        raise BadRequest(f"--gpus is all, how many cards (2) or which (0,2); {wanted[:40]!r} was given")
    numbers = [int(part) for part in parts] if "," in wanted else list(range(int(parts[0])))
    if not numbers or max(numbers) >= count or len(set(numbers)) < len(numbers):
        there = "one card, number 0" if count == 1 else f"{count} cards, 0 to {count - 1}"
        raise BadRequest(f"--gpus is {wanted}, and this machine has {there}; name each at most once")
    return numbers


def share_device(processes: int) -> list[Place]:
    """So many places on the device of the settings."""
    return [Place(f"process {number}", _threads(processes)) for number in range(1, processes + 1)]


def _threads(processes: int) -> dict[str, str]:
    """Each process gets its part of the cores, unless the environment says otherwise."""
    return {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS") or str(max(1, (os.cpu_count() or 1) // processes))}
