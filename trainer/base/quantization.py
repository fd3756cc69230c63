"""The base's UNet with its linear weights in fewer bits, by diffusers' own quantisers; the LoRA stays float32."""

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import torch
from diffusers import BitsAndBytesConfig, TorchAoConfig

from store.errors import ModelError, NotInstalled
from store.settings import Settings

PACKAGES = {"fp8": "torchao", "int8": "torchao", "nf4": "bitsandbytes"}
BYTES_LEFT = {"fp8": 1.0, "int8": 1.0, "nf4": 0.5625}
"""Of each linear weight of a quantised UNet; nf4 keeps a float32 scale for every 64."""


def unet_quantization(
    settings: Settings, device: torch.device, dtype: torch.dtype, find: Callable[[str], object] = find_spec
) -> Any:
    """The quantiser's configuration for the UNet, or None.

    Raises NotInstalled when `find` does not find its package, ModelError where it cannot run.
    """
    kind = settings.base_quantization
    if kind == "none":
        return None
    if find(PACKAGES[kind]) is None:
        raise NotInstalled("NAYSAYER_BASE_QUANTIZATION", kind, PACKAGES[kind])
    if kind == "nf4":
        if device.type != "cuda":
            raise ModelError(
                f"NAYSAYER_BASE_QUANTIZATION is nf4, which needs a CUDA device, and this one is {device.type}; "
                "use fp8 or int8 here, or none"
            )
        return BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=dtype)
    from torchao.quantization import Float8WeightOnlyConfig, Int8WeightOnlyConfig

    return TorchAoConfig(Float8WeightOnlyConfig() if kind == "fp8" else Int8WeightOnlyConfig())
