import pytest
import torch
from torch import Tensor

from tests.trainer.sample.test_guidance import adapted, unet_inputs  # noqa: F401 - a fixture
from trainer.base.model import Base
from trainer.lora.tensors import TRAINED
from trainer.sample import adapter_rows
from trainer.sample.adapter_rows import Adapter, Part, adapted_layers, cache_last, copies_fit, make_forwards
from trainer.sample.guidance import Steering

SCALE = 0.7


def in_dtype(given, dtype: torch.dtype):
    """The inputs of a call in the UNet's dtype; timesteps stay whole numbers."""
    if isinstance(given, dict):
        return {name: in_dtype(value, dtype) for name, value in given.items()}
    if isinstance(given, tuple):
        return tuple(in_dtype(value, dtype) for value in given)
    return given.to(dtype) if given.is_floating_point() else given


@torch.no_grad()
def predicted(base: Base, rows: int, changed: list | None = None) -> Tensor:
    args, kwargs = unet_inputs(base, rows)
    steering = Steering(base.pipe.unet, TRAINED, "plain", 0.0)
    steering.forwards = changed or []
    with steering.applied():
        unet = base.pipe.unet
        return unet(*in_dtype(args, unet.dtype), **in_dtype(kwargs, unet.dtype), return_dict=False)[0]


@pytest.mark.parametrize("part", [Part(0, 2), Part(2, 3), Part(0, 1), Part(1, 3)])
def test_both_forms_predict_the_same_and_leave_the_other_rows_alone(adapted, part):  # noqa: F811
    rows = 2 * part.of
    start, end = part.bounds(rows)
    plain = predicted(adapted, rows)
    merged, low_rank = (
        predicted(
            adapted, rows, make_forwards(adapted.pipe.unet, Adapter(TRAINED, SCALE), part, {}, is_merged=is_merged)
        )
        for is_merged in (True, False)
    )
    torch.testing.assert_close(merged, low_rank, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(merged[:start], plain[:start])
    torch.testing.assert_close(merged[end:], plain[end:])
    assert (merged[start:end] - plain[start:end]).abs().max() > 0.01  # or the test would compare nothing


def test_merging_leaves_the_bases_weights_as_they_are(adapted):  # noqa: F811
    before = {name: tensor.clone() for name, tensor in adapted.pipe.unet.state_dict().items()}
    predicted(adapted, 4, make_forwards(adapted.pipe.unet, Adapter(TRAINED, SCALE), Part(0, 2), {}))
    assert all(torch.equal(tensor, before[name]) for name, tensor in adapted.pipe.unet.state_dict().items())


def test_a_rule_prepared_once_serves_many_calls(adapted):  # noqa: F811
    changed = make_forwards(adapted.pipe.unet, Adapter(TRAINED, SCALE), Part(0, 2), {})
    assert torch.equal(predicted(adapted, 4, changed), predicted(adapted, 4, changed))


def test_what_the_text_decides_is_computed_once_for_a_text_and_anew_for_another():
    given: list[Tensor] = []

    def double(x: Tensor) -> Tensor:
        given.append(x)
        return 2 * x

    first, second, remembered = torch.ones(2), torch.zeros(2), cache_last(double, {})
    assert [remembered(x).tolist() for x in (first, first, second, first)] == [[2, 2], [2, 2], [0, 0], [2, 2]]
    assert [x is y for x, y in zip(given, (first, second, first), strict=True)] == [True] * 3


@torch.no_grad()
def test_a_second_text_within_one_drawing_is_seen(adapted):  # noqa: F811
    unet, steering = adapted.pipe.unet, Steering(adapted.pipe.unet, TRAINED, "same-prompt", 2.0)
    args, kwargs = unet_inputs(adapted, 4)
    other = kwargs | {"encoder_hidden_states": kwargs["encoder_hidden_states"].flip(0)}
    with steering.applied():
        together = [unet(*args, **given, return_dict=False)[0] for given in (kwargs, other, kwargs)]
    for given, found in zip((kwargs, other, kwargs), together, strict=True):
        with steering.applied():
            assert torch.equal(unet(*args, **given, return_dict=False)[0], found)
    assert steering.kept == {}


def test_in_half_precision_merging_costs_no_more_exactness_than_the_low_rank_form(adapted):  # noqa: F811
    unet, part = adapted.pipe.unet, Part(0, 1)

    def change(is_merged: bool) -> Tensor:
        changed = make_forwards(unet, Adapter(TRAINED, SCALE), part, {}, is_merged=is_merged)
        return predicted(adapted, 2, changed).float() - predicted(adapted, 2).float()

    exact = change(False)
    unet.to(torch.bfloat16)
    merged, low_rank = ((change(is_merged) - exact).norm() / exact.norm() for is_merged in (True, False))
    assert merged <= 1.5 * low_rank


def test_on_a_cpu_only_small_weights_are_copied(adapted, monkeypatch):  # noqa: F811
    layers = list(adapted_layers(adapted.pipe.unet, TRAINED).values())
    assert copies_fit(layers)
    monkeypatch.setattr(adapter_rows, "MOST_ELSEWHERE", sum(one.get_base_layer().weight.nbytes for one in layers) - 1)
    assert not copies_fit(layers)
