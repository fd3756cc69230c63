"""The stores of a replicate: their prompts, their settings, and how each is built once."""

import pytest

from bench.loop.stores import Stores, distinct_prompts, evaluation_items, rated_prompts
from store.settings import Settings


@pytest.fixture
def stores(tmp_path) -> Stores:
    return Stores(Settings(_env_file=None), tmp_path, seed=5, votes=10, error_rate=0.05)


def test_nothing_is_evaluated_that_was_rated():
    for seed in range(3):
        items = evaluation_items(seed, 36, 2)
        assert len(set(items)) == 72
        assert not {prompt for prompt, _ in items} & set(rated_prompts(seed))


def test_two_replicates_share_no_evaluation_seed():
    first, second = ({seed for _, seed in evaluation_items(n, 36, 2)} for n in (0, 1))
    assert not first & second


def test_the_subjects_of_the_prompts_take_turns():
    assert ["star" in prompt for prompt in distinct_prompts(0, 6, ("star", "cat"))] == [True, False] * 3


def test_no_prompt_comes_twice_or_was_taken():
    taken = distinct_prompts(0, 10, ("star",))
    found = distinct_prompts(0, 10, ("star",), taken)
    assert len({*found, *taken}) == 20


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
