import pytest
import torch

from trainer.builtin.running import average_gradients, cosine, device_for, own_share, rank, repeatable, shuffled


def test_batches_use_every_row_once_before_any_row_twice():
    rows = torch.cat(list(shuffled(10, 4, 5, seed=0)))
    assert sorted(rows[:10].tolist()) == sorted(rows[10:].tolist()) == list(range(10))


def test_the_learning_rate_rises_and_falls():
    factor = cosine(100, warmup=10)
    assert factor(0) == 0.1 and factor(9) > 0.9 and factor(50) == pytest.approx(0.5) and factor(100) == 0


def test_the_order_depends_on_the_seed():
    first, again, other = (torch.cat(list(shuffled(20, 5, 4, seed))).tolist() for seed in (0, 0, 1))
    assert first == again != other


def test_a_process_by_itself_takes_whole_batches_and_keeps_its_gradients():
    weight = torch.nn.Parameter(torch.ones(2))
    weight.sum().backward()
    average_gradients([weight])
    assert weight.grad is not None
    assert (rank(), own_share(torch.arange(4)).tolist(), weight.grad.tolist()) == (0, [0, 1, 2, 3], [1, 1])


def test_a_cpu_repeats_its_sums_only_inside():
    before = torch.are_deterministic_algorithms_enabled()
    with repeatable():
        assert torch.are_deterministic_algorithms_enabled() == (device_for().type == "cpu")
    assert torch.are_deterministic_algorithms_enabled() == before
