"""The UNet's transformer blocks compiled by torch, for batches of one size; what was compiled is kept on disk.

The blocks are traced with the forwards that a rule puts on them (`trainer.sample.adapter_rows`). Their weights are
inputs of what is compiled, not constants in it, so with merged weights another version or strength needs no new
compilation; in the low-rank form the scale is a constant, and another one is compiled again.
"""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from huggingface_hub import cached_assets_path
from torch import nn
from torch._dynamo.exc import TorchDynamoException

from trainer.base.model import Base

log = logging.getLogger("naysayer.sampler")

CACHE = "TORCHINDUCTOR_CACHE_DIR"
CompileError = TorchDynamoException
"""Torch failed to compile, rather than to draw."""
MOST_FORMS = 64
"""Compiled forms of a block: by width, rows of a call, rule, and length of the text. Any other is not compiled."""


@contextmanager
def compiled_blocks(unet: nn.Module) -> Iterator[None]:
    """While it lasts, the blocks that diffusers names as repeated are compiled; the first call with it takes longer.

    Every size is compiled for itself: with sizes left open, torch takes minutes to trace a rule's rows.
    """
    os.environ.setdefault(CACHE, str(cached_assets_path("naysayer", "compiled", "blocks")))
    names = getattr(unet, "_repeated_blocks", None) or ()
    blocks = [module for module in unet.modules() if type(module).__name__ in names]
    for block in blocks:
        block.compile(dynamic=False, recompile_limit=MOST_FORMS)
    try:
        yield
    finally:
        for block in blocks:
            block._compiled_call_impl = None


def without_compiling(base: Base, error: Exception) -> Base:
    """The base, to be drawn with uncompiled, and a word in the log why."""
    reason = str(error).strip().splitlines()[0]
    log.warning(
        "NAYSAYER_COMPILE is on, but torch cannot compile here (%s), so pictures are drawn uncompiled; install a C++ "
        "compiler (g++), or turn it off",
        reason,
    )
    return replace(base, plain=replace(base.plain, conditions=replace(base.plain.conditions, is_compiled=None)))
