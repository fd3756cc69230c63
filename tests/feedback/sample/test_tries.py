import pytest

from feedback.check.version_check import How, VersionCheck
from feedback.sample.tries import Redraw, Tries, is_checked, most_tries, redraw_of, seed_of_try, why_once
from feedback.sample.work import Work
from store.settings import Settings
from store.tables import Origin, Version


def work(origin: Origin, seed: int = 7) -> Work:
    return Work(1, "a red star", seed, 1, origin)


def settings(**changes: float) -> Settings:
    return Settings(_env_file=None, **changes)


def test_the_first_try_is_the_picture_of_its_seed_and_every_other_try_has_its_own_noise() -> None:
    seeds = {(seed, number): seed_of_try(seed, number) for seed in range(50) for number in range(1, 6)}
    assert all(seeds[seed, 1] == seed for seed in range(50))
    assert len(set(seeds.values())) == len(seeds)
    assert all(0 <= seed < 2**63 for seed in seeds.values())


def test_the_score_of_a_picture_is_that_of_the_try_that_was_kept() -> None:
    assert Tries(2, (0.3, 0.1, 0.2)).score == 0.1
    assert Tries().score is None


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_the_checked_share_of_the_queue_is_what_is_set_and_always_the_same_pictures(share: float) -> None:
    checked = [is_checked(seed, share) for seed in range(4000)]
    assert sum(checked) / 4000 == pytest.approx(share, abs=0.03)
    assert checked == [is_checked(seed, share) for seed in range(4000)]


def test_raters_see_what_was_drawn_once_unless_a_share_is_set_and_pairs_are_drawn_as_the_version_draws() -> None:
    assert most_tries(settings(), work(Origin.sampled)) == 1
    assert most_tries(settings(), work(Origin.evaluation)) == 2
    assert most_tries(settings(checked_share=1.0, tries=5), work(Origin.sampled)) == 6
    some = {most_tries(settings(checked_share=0.5), work(Origin.sampled, seed)) for seed in range(20)}
    assert some == {1, 2}


def test_no_tries_switch_the_check_off() -> None:
    assert {most_tries(settings(tries=0, checked_share=1.0), work(origin)) for origin in Origin} == {0}


HOW = How((800,), 2, 4)


@pytest.mark.parametrize(
    ("check", "said"),
    [
        (None, "v1 draws each picture once: it has no check"),
        (VersionCheck(HOW, off="the check is off: why"), "v1 draws each picture once: the check is off: why"),
        (VersionCheck(HOW, off="", cut=0.25), ""),
    ],
)
def test_a_version_without_a_check_that_is_on_draws_once_and_says_why(check: VersionCheck | None, said: str) -> None:
    version = Version(number=1, base_model="", base_sha256="", check=check.as_json() if check else None)
    assert why_once(version) == said
    assert redraw_of(version, 3) == (None if said else Redraw(3, 0.25))
    assert redraw_of(version, 0) is None
