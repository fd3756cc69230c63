import json

import numpy as np
import pytest

from feedback.check.version_check import How, Judged, VersionCheck, make_check
from store.tables import Version

HOW = How((800,), 2, 4)
RANDOM = np.random.default_rng(4)


def judged(count: int, shift: float) -> list[Judged]:
    return [
        Judged(float(RANDOM.normal() + shift * is_reject), bool(is_reject), f"prompt {k // 3}")
        for k, is_reject in enumerate(RANDOM.random(count) < 0.4)
    ]


def test_a_check_that_tells_is_on_and_knows_chance_and_cut():
    check = make_check(HOW, judged(300, 1.5)).with_cut(list(np.arange(50.0)))
    assert check.is_on
    assert check.auc is not None and check.auc_within is not None and check.reliability is not None
    assert check.auc.n == 300 > check.auc_within.n
    assert check.chance(-2) < 0.1 < 0.8 < check.chance(3)
    assert sum(score > check.cut for score in range(50)) == 10
    assert (check.is_beyond_cut(check.cut), check.is_beyond_cut(check.cut + 1)) == (False, True)


def test_a_check_that_may_be_chance_is_off_and_says_so():
    check = make_check(HOW, judged(300, 0.0)).with_cut([1.0])
    assert not check.is_on
    assert check.off.startswith("the check is off: it does not tell rejected pictures from kept ones")
    assert check.auc is not None
    assert (check.chance(9), check.is_beyond_cut(9)) == (None, False)


@pytest.mark.parametrize(("rejects", "keeps"), [(9, 200), (200, 9), (0, 0), (30, 0)])
def test_with_too_few_of_either_kind_a_check_is_off_and_says_how_many_it_needs(rejects, keeps):
    pictures = [Judged(float(k), k < rejects, f"prompt {k}") for k in range(rejects + keeps)]
    check = make_check(HOW, pictures).with_cut([1.0])
    assert not check.is_on
    assert (
        f"needs 10 rejected and 10 kept pictures that it was not trained on, and there are {rejects} and {keeps}"
        in (check.off)
    )


def test_a_check_survives_its_row():
    for check in (make_check(HOW, judged(300, 1.5)).with_cut([1.0, 2.0]), make_check(HOW, [])):
        version = Version(number=1, base_model="", base_sha256="", check=json.loads(json.dumps(check.as_json())))
        assert VersionCheck.of(version) == check


def test_a_version_from_before_there_were_checks_has_none():
    assert VersionCheck.of(Version(number=1, base_model="", base_sha256="")) is None


def test_a_check_from_before_there_were_weights_counts_only_the_likeness():
    found = VersionCheck.of(Version(number=1, base_model="", base_sha256="", check={"how": [[800], 2, 4], "off": ""}))
    assert found is not None
    assert found.how == How((800,), 2, 4, (1.0, 0.0))
    assert not found.how.asks_the_prompt
