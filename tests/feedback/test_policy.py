import pytest

from feedback.policy import pairs_wanted, promotion_mode, rejects_needed, retrains_itself
from store.settings import Settings


def settings(**changes) -> Settings:
    return Settings(_env_file=None, **changes)


@pytest.mark.parametrize(
    ("changes", "needed", "retrains", "mode", "pairs"),
    [
        ({}, 40, True, "auto", 12),
        ({"auto_retrain": False}, 40, False, "gate", 200),
        ({"model": "me/sdxl"}, 100, False, "gate", 200),
        ({"model": "me/sdxl", "auto_retrain": True}, 100, True, "gate", 200),
        ({"promotion": "manual", "retrain_after": 7, "evaluation_pairs": 0}, 7, True, "manual", 0),
    ],
)
def test_what_the_settings_leave_open_follows_from_the_model(changes, needed, retrains, mode, pairs):
    chosen = settings(**changes)
    assert rejects_needed(chosen) == needed
    assert retrains_itself(chosen) is retrains
    assert promotion_mode(chosen) == mode
    assert pairs_wanted(chosen) == pairs
