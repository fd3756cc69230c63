from pathlib import Path

import numpy as np
import pytest

from trainer.base.weights import BUILTIN_FOLDER
from trainer.builtin.measure import Rate, measure, sample, table
from trainer.world import default_prompts


def test_prompts_come_in_turn_each_with_its_own_seed():
    drawn = list(sample(BUILTIN_FOLDER, 3, seed=5))
    assert [prompt for prompt, _ in drawn] == default_prompts()[:3]
    later = list(sample(BUILTIN_FOLDER, 3, seed=6))
    assert not np.array_equal(drawn[0][1], later[0][1])


def test_the_guidance_asked_for_is_used():
    strong, weak = (next(sample(BUILTIN_FOLDER, 1, guidance))[1] for guidance in (6.0, 1.5))
    assert not np.array_equal(strong, weak)


def test_subjects_and_all_are_counted():
    rates = measure(BUILTIN_FOLDER, 7)
    assert rates["all"].count == 7
    assert rates["hand"].count == 2 and rates["cat"].count == 1  # six subjects in turn
    assert sum(rate.wrong for subject, rate in rates.items() if subject != "all") == rates["all"].wrong


def test_the_table_ends_with_all():
    rates = {"all": Rate(100, 40, {"fingers": 40}), "hand": Rate(50, 40, {"fingers": 40})}
    rows = table(rates).splitlines()
    assert rows[2].startswith("| hand | 50 | 80.0 % |")
    assert rows[3] == "| all | 100 | 40.0 % | 30.9–49.8 % | fingers 40 |"


def test_a_folder_without_a_model_is_refused(tmp_path: Path):
    with pytest.raises(OSError, match=r"model_index\.json"):
        next(sample(tmp_path, 1))
