"""The built-in miniature as the model under examination."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from bench.card.parts.meter import Meter
from bench.card.parts.subject import BUILTIN, Subject, prepare


@pytest.fixture
def subject(tmp_path: Path) -> Subject:
    return prepare(tmp_path, BUILTIN, "cpu")


class RowsMeter(Meter):
    """A device whose memory runs out in a pass of the UNet with a gradient of more than `most` rows."""

    def __init__(self, subject: Subject, most: int) -> None:
        super().__init__(subject.device)
        self.subject, self.most, self.count = subject, most, 0

    def _all_ooms(self) -> int:
        return self.count

    @contextmanager
    def capped(self, most: int) -> Iterator[None]:
        self.start()

        def refuse(_unet: object, args: tuple[torch.Tensor, ...]) -> None:
            if torch.is_grad_enabled() and len(args[0]) > self.most:
                self.count += 1
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")

        handle = self.subject.base.pipe.unet.register_forward_pre_hook(refuse)
        try:
            yield
        finally:
            handle.remove()


@pytest.fixture
def rows_meter() -> type[RowsMeter]:
    return RowsMeter
