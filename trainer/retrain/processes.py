"""Several processes for one retrain, as `accelerate launch` or `torchrun` start them.

The first process leads: only it holds the lock, freezes, saves and publishes. It broadcasts once which manifest to fit,
or that there is nothing to do, as a row of bytes: no pickle passes between processes.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from store.settings import Settings

NOTHING = "0" * 64
WAIT = timedelta(hours=12)
"""How long the other processes wait while the leader encodes what is new in the pool."""


def process_count() -> int:
    """How many processes the launcher started."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_leader() -> bool:
    """Whether this process is the first."""
    return int(os.environ.get("RANK", "0")) == 0


@contextmanager
def leading(settings: Settings) -> Iterator[Callable[[str], None]]:
    """Gives the function that broadcasts the manifest to fit; if it is not called, the others hear of nothing."""
    sent: list[str] = []

    def broadcast(manifest_id: str) -> None:
        sent.append(manifest_id)
        if process_count() > 1:
            _broadcast(settings, manifest_id)

    try:
        yield broadcast
    finally:
        if not sent:
            broadcast(NOTHING)


def receive_manifest_id(settings: Settings) -> str | None:
    """Waits for the leader's broadcast: the id of the manifest to fit, or None when there is nothing to fit."""
    manifest_id = _broadcast(settings, NOTHING)
    return None if manifest_id == NOTHING else manifest_id


def _broadcast(settings: Settings, manifest_id: str) -> str:
    """The leader's manifest id, in every process."""
    import torch
    from accelerate import PartialState
    from accelerate.utils import broadcast

    from trainer.base.model import pick_device

    state = PartialState(cpu=pick_device(settings.device).type == "cpu", timeout=WAIT)
    sent = torch.tensor([*bytes.fromhex(manifest_id)], device=state.device)
    return bytes(broadcast(sent).tolist()).hex()
