"""Several processes for one retrain, as `accelerate launch` or `torchrun` start them: the first leads, the others help.

The first alone holds the lock, freezes, saves, publishes. It tells the others once which manifest to fit, or that there
is nothing to do, as a row of bytes: no pickle passes between them.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import NamedTuple

from store.settings import Settings

NOTHING = "0" * 64
WAIT = timedelta(hours=12)
"""How long the others wait while the first encodes what is new in the pool."""


class Order(NamedTuple):
    """What to fit: a manifest, and the version that it comes after (0: none)."""

    manifest_id: str
    parent: int


def process_count() -> int:
    """How many processes the launcher started."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_first_process() -> bool:
    """Whether this one leads."""
    return int(os.environ.get("RANK", "0")) == 0


@contextmanager
def leading(settings: Settings) -> Iterator[Callable[[Order], None]]:
    """Gives the function that tells the other processes what to fit; unless it is called, they hear of nothing."""
    told: list[Order] = []

    def tell(order: Order) -> None:
        told.append(order)
        if process_count() > 1:
            _broadcast(settings, order)

    try:
        yield tell
    finally:
        if not told:
            tell(Order(NOTHING, 0))


def hear(settings: Settings) -> Order | None:
    """What the first process says, once it does; None when there is nothing to fit."""
    order = _broadcast(settings, Order(NOTHING, 0))
    return None if order.manifest_id == NOTHING else order


def _broadcast(settings: Settings, order: Order) -> Order:
    """The first process's order, in every process."""
    import torch
    from accelerate import PartialState
    from accelerate.utils import broadcast

    from trainer.base.model import pick_device

    state = PartialState(cpu=pick_device(settings.device).type == "cpu", timeout=WAIT)
    sent = torch.tensor([order.parent, *bytes.fromhex(order.manifest_id)], device=state.device)
    parent, *manifest_id = broadcast(sent).tolist()
    return Order(bytes(manifest_id).hex(), parent)
