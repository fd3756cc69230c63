import pytest
import torch

from store.errors import ModelError, NotInstalled
from trainer.base.model import load_base
from trainer.base.quantization import unet_quantization
from trainer.retrain.reloading import probe

CPU = torch.device("cpu")


def quantised(settings, kind: str):
    return settings.model_copy(update={"base_quantization": kind})


def nowhere(_package: str) -> None:
    """Finds no package."""


def anywhere(package: str) -> str:
    """Finds every package."""
    return package


def test_a_base_in_full_needs_no_package(settings):
    assert unet_quantization(settings, CPU, torch.float32, find=nowhere) is None


@pytest.mark.parametrize(("kind", "package"), [("fp8", "torchao"), ("int8", "torchao"), ("nf4", "bitsandbytes")])
def test_a_missing_package_is_named(kind, package, settings):
    needed = f"NAYSAYER_BASE_QUANTIZATION is {kind}, which needs the package {package}"
    with pytest.raises(NotInstalled, match=needed):
        unet_quantization(quantised(settings, kind), CPU, torch.float32, find=nowhere)


def test_nf4_is_refused_without_cuda(settings):
    with pytest.raises(ModelError, match="needs a CUDA device, and this one is cpu; use fp8 or int8"):
        unet_quantization(quantised(settings, "nf4"), CPU, torch.float32, find=anywhere)


@pytest.mark.parametrize("kind", ["fp8", "int8"])
def test_a_quantised_base_predicts_nearly_the_same_in_less_memory(kind, settings, base):
    pytest.importorskip("torchao", reason="torchao is not installed")
    small = load_base(quantised(settings, kind))
    weight = small.pipe.unet.down_blocks[1].attentions[0].transformer_blocks[0].attn1.to_q.weight
    assert weight.qdata.nbytes + weight.scale.nbytes < 1.2 * weight.numel()  # a byte a number, and the scales
    wanted = probe(base)
    assert (probe(small) - wanted).norm() < 0.05 * wanted.norm()
