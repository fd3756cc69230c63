from hypothesis import given
from hypothesis import strategies as st

from feedback.pool.split import split_of
from store.tables import Split


@given(prompt=st.text(), seed=st.integers(0, 2**62))
def test_the_split_depends_on_prompt_and_seed_alone(prompt: str, seed: int) -> None:
    assert split_of(prompt, seed) is split_of(prompt, seed)


def test_the_split_of_known_images_never_changes() -> None:
    held_out = [seed for seed in range(60) if split_of("a red star", seed) is Split.held_out]
    assert held_out == KNOWN_SPLIT


KNOWN_SPLIT = [6, 31, 44, 57]


def test_about_a_tenth_is_held_out() -> None:
    held_out = sum(split_of(f"prompt {n % 97}", n) is Split.held_out for n in range(20_000))
    assert 0.09 <= held_out / 20_000 <= 0.11
