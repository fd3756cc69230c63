"""The stores of a replicate: their prompts, their settings, and how each is built once."""

import pytest

from bench.loop.stores import OTHER_ITEMS, Stores, evaluation_items, rated_prompts
from store.settings import Settings
from tests.bench.loop.conftest import DRAWN


@pytest.fixture
def stores(tmp_path) -> Stores:
    return Stores(DRAWN, Settings(_env_file=None), tmp_path, seed=5, votes=10, error_rate=0.05)


def test_nothing_is_evaluated_that_was_rated():
    for seed in (0, 1, 100):
        items = evaluation_items(DRAWN, seed, 36, 2)
        assert len(set(items)) == 72
        assert not {prompt for prompt, _ in items} & set(rated_prompts(DRAWN, seed))
        others = evaluation_items(DRAWN, OTHER_ITEMS + seed, 36, 2)
        assert not {prompt for prompt, _ in others} & set(rated_prompts(DRAWN, seed))
        assert not {number for _, number in others} & {number for _, number in items}


def test_two_replicates_share_no_evaluation_seed():
    first, second = ({seed for _, seed in evaluation_items(DRAWN, n, 36, 2)} for n in (0, 1))
    assert not first & second


def test_nobody_rates_the_unseen_subject_or_the_unseen_fault(stores):
    assert "cat" not in " ".join(rated_prompts(DRAWN, 0, [s for s in DRAWN.subjects if s != DRAWN.unseen.subject]))
    assert stores._habits("without", 1).unseen_fault == "points"
    assert stores._habits("votes", 1).unseen_fault == ""


@pytest.mark.parametrize(
    ("kind", "objective"), [("sft", "sft"), ("random", "sft"), ("noisy", "nft"), ("votes", "nft"), ("without", "nft")]
)
def test_a_kind_of_training_names_its_objective(stores, kind, objective):
    settings = stores._settings("name", kind)
    assert (settings.objective, settings.seed, settings.evaluation_pairs) == (objective, 5, 0)


def test_a_ready_store_is_not_built_again_and_a_half_built_one_is(stores):
    settings = stores._settings("name", "nft")
    place = settings.data_dir.parent

    def stop() -> None:
        (place / "left over").touch()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stores._built(settings, stop)
    built: list[bool] = []
    for _ in range(2):
        stores._built(settings, lambda: built.append((place / "left over").exists()))
    assert built == [False]
