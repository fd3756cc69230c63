from pathlib import Path

import pytest
import torch

from store.errors import BadExport, BadLora
from tests.trainer.conftest import quick_settings
from trainer.base.model import Base, load_base
from trainer.lora.formats import DIFFUSERS_FILE, KOHYA_FILE, diffusers_layout, kohya_layout, safetensors_bytes
from trainer.lora.tensors import TRAINED, add_fresh, detach, trained_tensors, weights_of
from trainer.retrain.reloading import check_imported, check_trained, probe


@pytest.fixture(params=["fp32", pytest.param("bf16", marks=pytest.mark.slow)])
def trained(request: pytest.FixtureRequest, tmp_path: Path) -> Base:
    """A base with an adapter that has an effect, as after a fit."""
    base = load_base(quick_settings(tmp_path, dtype=request.param))
    with torch.no_grad():
        for parameter in add_fresh(base.pipe.unet, 4, "all", seed=0):
            parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)) * 0.05)
            parameter.copy_(parameter.half())
    return base


def write(folder: Path, base: Base, diffusers: float = 1.0, kohya: float = 1.0) -> None:
    """Both files, with the up matrices multiplied."""
    for name, layout, factor in ((DIFFUSERS_FILE, diffusers_layout, diffusers), (KOHYA_FILE, kohya_layout, kohya)):
        weights = {
            key: w * factor if "lora_B" in key else w for key, w in weights_of(trained_tensors(base.pipe.unet)).items()
        }
        (folder / name).write_bytes(safetensors_bytes(layout(weights), {}))


def test_files_that_reload_to_the_trained_network_pass_and_the_adapter_is_off_afterwards(trained, tmp_path):
    write(tmp_path, trained)
    check_trained(trained, tmp_path)
    assert not [name for name, _ in trained.pipe.unet.named_parameters() if "lora" in name]


@pytest.mark.parametrize("trained", ["bf16"], indirect=True)
@pytest.mark.parametrize("factor", [0.85, 1.15])
def test_half_precision_is_no_excuse_for_another_strength(trained, tmp_path, factor):
    write(tmp_path, trained, kohya=factor)
    with pytest.raises(BadExport, match=r"at \d+% of the strength"):
        check_trained(trained, tmp_path)


@pytest.mark.parametrize("factors", [{"diffusers": 0.5}, {"kohya": 0.5}, {"kohya": 2.0}, {"diffusers": 0.0}])
def test_a_file_of_another_strength_is_refused(trained, tmp_path, factors):
    write(tmp_path, trained, **factors)
    with pytest.raises(BadExport, match="reloads to another network"):
        check_trained(trained, tmp_path)


@pytest.mark.parametrize("factor", [0.97, 1.03])
def test_a_change_within_the_precision_of_the_files_passes(trained, tmp_path, factor):
    write(tmp_path, trained, kohya=factor)
    check_trained(trained, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(("factor", "passes"), [(1.0, True), (0.5, False), (1.5, False)])
def test_in_half_precision_a_change_below_rounding_is_compared_all_the_same(tmp_path, factor, passes):
    base = load_base(quick_settings(tmp_path, dtype="bf16"))
    with torch.no_grad():
        for parameter in add_fresh(base.pipe.unet, 4, "all", seed=0):
            parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)) * 2e-4)
            parameter.copy_(parameter.half())
    write(tmp_path, base, kohya=factor)
    if passes:
        check_trained(base, tmp_path)
    else:
        with pytest.raises(BadExport, match="reloads to another network"):
            check_trained(base, tmp_path)


def test_a_refusal_names_the_file_and_the_network_and_how_far_they_are_apart(trained, tmp_path):
    write(tmp_path, trained, kohya=0.5)
    with pytest.raises(
        BadExport, match=rf"^{KOHYA_FILE} reloads to another network.*of the UNet differs by 55%, at 48% "
    ):
        check_trained(trained, tmp_path)


def test_an_imported_lora_must_change_what_the_unet_predicts(trained, tmp_path):
    write(tmp_path, trained)
    detach(trained.pipe, TRAINED)
    check_imported(trained, tmp_path / "a.safetensors", tmp_path)
    assert not [name for name, _ in trained.pipe.unet.named_parameters() if "lora" in name]


@pytest.mark.parametrize(
    ("factors", "why"),
    [
        ({"diffusers": 0.0}, "predicts the same with and without it"),
        ({"kohya": 0.0}, "predicts the same with and without it"),
        ({"diffusers": float("nan")}, "the UNet predicts NaN"),
        ({"kohya": float("inf")}, "the UNet predicts NaN"),
    ],
)
def test_an_imported_lora_without_effect_or_without_numbers_is_refused(trained, tmp_path, factors, why):
    write(tmp_path, trained, **factors)
    detach(trained.pipe, TRAINED)
    with pytest.raises(BadLora, match=why):
        check_imported(trained, tmp_path / "a.safetensors", tmp_path)


def test_the_probe_is_the_same_every_time_and_float32_on_the_cpu(trained):
    first, again = probe(trained), probe(trained)
    assert torch.equal(first, again)
    assert (first.dtype, first.device.type, first.shape[:2]) == (torch.float32, "cpu", (1, 4))
