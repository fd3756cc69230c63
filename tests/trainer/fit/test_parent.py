import pytest
import torch
from sqlmodel import select

from feedback.versions import promote
from store.engine import reading
from store.errors import RetrainError
from store.layout import layout_of
from store.migrate import open_store
from store.tables import Version
from tests.trainer.fitting import fit_here
from trainer.fit.parent import Parent, begin_with, drift, find_parent
from trainer.lora.tensors import add_fresh, trained_tensors
from trainer.retrain.retrain import retrain

RANDOM = torch.Generator().manual_seed(0)


def adapter(rank: int, scale: float = 1.0) -> dict[str, torch.Tensor]:
    shapes = {"mid.to_q": ((rank, 6), (5, rank)), "mid.conv1": ((rank, 4, 3, 3), (7, rank, 1, 1))}
    return {
        f"{module}.lora_{half}.weight": scale * torch.randn(shape, generator=RANDOM)
        for module, pair in shapes.items()
        for half, shape in zip("AB", pair, strict=True)
    }


def change(weights: dict[str, torch.Tensor]) -> torch.Tensor:
    """All that the adapter changes, as full matrices one after the other."""
    return torch.cat(
        [
            (weights[f"{module}.lora_B.weight"].flatten(1) @ weights[f"{module}.lora_A.weight"].flatten(1)).flatten()
            for module in ("mid.to_q", "mid.conv1")
        ]
    )


def test_drift_is_the_distance_of_the_full_matrices_whatever_the_ranks():
    new, old = adapter(3), adapter(2)
    wanted = (change(new) - change(old)).norm() / change(old).norm()
    assert drift(new, old) == pytest.approx(float(wanted), rel=1e-5)
    assert drift(old, old) == pytest.approx(0, abs=1e-6)


def test_a_layer_that_only_one_of_them_has_counts_in_full():
    old = adapter(2)
    new = {name: tensor for name, tensor in old.items() if "conv1" not in name}
    missing = change(old)[30:]
    assert drift(new, old) == pytest.approx(float(missing.norm() / change(old).norm()), rel=1e-5)


def test_a_parent_of_another_rank_or_other_layers_is_refused(rated, own_base):
    add_fresh(own_base.pipe.unet, 2, "attention", 0)
    fresh = trained_tensors(own_base.pipe.unet)
    other = {name: torch.zeros(4, *tensor.shape[1:]) for name, tensor in fresh.items()}
    with pytest.raises(RetrainError, match=r"v3 has other layers or another rank .* NAYSAYER_WARM_START=0"):
        begin_with(Parent(3, "", other, frozenset()), fresh, rated)


def test_a_warm_start_begins_with_the_parents_weights_and_a_cold_one_measures_the_drift(rated, tmp_path):
    settings = rated.model_copy(update={"train_steps": 2, "checkpoint_every": 100})
    first = fit_here(settings, tmp_path / "a")
    assert "drift" not in first.curve[-1]
    parent = Parent(1, "a" * 64, first.weights, frozenset())
    still = settings.model_copy(update={"warm_start": True, "learning_rate": 1e-12})
    again = fit_here(still, tmp_path / "b", parent=parent)
    assert all(torch.equal(again.weights[name], tensor) for name, tensor in first.weights.items())
    assert again.curve[-1]["drift"] == pytest.approx(0, abs=1e-6)
    cold = fit_here(settings.model_copy(update={"seed": 1}), tmp_path / "c", parent=parent)
    assert cold.curve[-1]["drift"] > 0.5


@pytest.mark.slow
def test_a_retrain_goes_on_from_the_champion_and_says_so(rated):
    retrain(rated)
    engine, layout = open_store(rated), layout_of(rated)
    assert find_parent(engine, layout) is None  # the champion is still the plain base
    promote(engine, 1, "for the test")
    retrain(rated.model_copy(update={"seed": 1}), force=True)
    parent = find_parent(engine, layout)
    assert parent.number == 1
    assert len(parent.known) == 24
    retrain(rated.model_copy(update={"warm_start": True, "train_steps": 2}), force=True)
    with reading(engine) as session:
        cold, warm = session.exec(select(Version).where(Version.number > 1).order_by(Version.number))
    engine.dispose()
    assert warm.parent == 1
    assert warm.settings["warm_start"] is True
    assert warm.curve[-1]["drift"] < cold.curve[-1]["drift"]
