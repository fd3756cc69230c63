import json

import pytest

from bench.loop.loop import DEFAULT, Plan, run
from bench.loop.record import record
from bench.loop.record_page import page, table
from bench.loop.stores import distinct_prompts, evaluation_items, rated_prompts
from store.settings import Settings

PLAN = Plan(votes=160, prompts=24, seeds=3, is_short=True)


def row(name: str, round_: int, faults: list[list[str]], replicate: int = 0) -> dict:
    judged = {
        "faults": faults,
        "spread": 1.0,
        "right_spread": 1.0,
        "strength": 4.0 * bool(round_),
        "guidance_scale": 1.75,
        "train_s": 60.0,
    }
    return {"replicate": replicate, "row": name, "round": round_} | judged


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_one_round_of_the_default_method_beats_the_base_beyond_chance(tmp_path):
    settings = Settings(_env_file=None, sweep_pictures=8, train_steps=300)
    found = record(run(settings, tmp_path, PLAN, [5], 1), PLAN)["methods"]
    print(json.dumps(found, indent=1))
    assert found["base"]["n"] == found[DEFAULT]["n"] == 72
    assert found[DEFAULT]["rate"] < found["base"]["rate"]
    assert found[DEFAULT]["paired_high"] < 0


def test_nothing_is_evaluated_that_was_rated():
    for seed in range(3):
        items = evaluation_items(seed, 36, 2)
        assert len(set(items)) == 72
        assert not {prompt for prompt, _ in items} & set(rated_prompts(seed))


def test_the_subjects_of_the_prompts_come_in_turn():
    assert ["star" in prompt for prompt in distinct_prompts(0, 6, ("star", "cat"))] == [True, False] * 3


def test_the_record_counts_what_was_mended_and_broken_on_the_same_seeds():
    rows = [row("base", 0, [["fingers"], ["colour"], [], []]), row(DEFAULT, 1, [[], ["colour"], ["word"], []])]
    found = record(rows, PLAN)["methods"]
    assert (found["base"]["rate"], found[DEFAULT]["rate"]) == (0.5, 0.5)
    assert (found[DEFAULT]["mended"], found[DEFAULT]["broke"], found[DEFAULT]["paired"]) == (1, 1, 0.0)
    assert found[DEFAULT]["adherence"] == 0.75
    assert found[DEFAULT]["votes"] == PLAN.votes


def test_pairs_are_formed_within_a_replicate():
    rows = [row("base", 0, [["fingers"]], 0), row("base", 0, [[]], 1)]
    rows += [row(DEFAULT, 1, [[]], 1), row(DEFAULT, 1, [["word"]], 0)]
    found = record(rows, PLAN)["methods"][DEFAULT]
    assert (found["mended"], found["broke"]) == (0, 0)


def test_the_page_says_no_more_than_the_intervals_allow():
    wrong, right = [["fingers"]] * 8, [[]] * 8
    names = ("random-outputs", "woolf", "woolf-tuned")
    rows = [row("base", 0, wrong + right), *(row(name, 1, wrong + right) for name in names)]
    rows += [row(name, n, wrong + right) for name, n in (("held-out base", 0), ("held-out", 1))]
    no_gain = page(record([*rows, row(DEFAULT, 1, wrong + right)], PLAN))
    assert "no clear gain over the base" in no_gain
    gain = page(record([*rows, row(DEFAULT, 1, right + right)], PLAN))
    assert "fewer wrong pictures than the base, beyond chance. It also beats a LoRA of the base's own" in gain
    assert table(record([*rows, row(DEFAULT, 1, right + right)], PLAN)) in gain
