from bench.pace.pace import INTERVAL, Plan, Setting, base_under, bench_pace, table
from tests.trainer.conftest import quick_settings
from trainer.base.model import load_base

TWO = (Setting("default"), Setting("fewer", 1 / 2, {"scheduler": "dpmpp_2m_karras"} | INTERVAL))


def test_each_setting_draws_the_same_prompts_and_seeds_and_is_judged(tmp_path):
    found = bench_pace(quick_settings(tmp_path), Plan("drawn", 0, 4, 2, 5), TWO)
    default, fewer = found["settings"]
    assert default["ratio"] == 1
    assert (default["better"], default["worse"]) == (0, 0)
    assert fewer["per_minute"] > 0
    assert 0 <= fewer["wrong"] <= 4
    assert fewer["better"] - fewer["worse"] == default["wrong"] - fewer["wrong"]
    assert table(found).count("\n| ") == 4


def test_without_a_judge_only_the_speed_is_told(tmp_path):
    found = bench_pace(quick_settings(tmp_path), Plan("none", 0, 2, 1, 5), TWO[:1])
    assert "wrong" not in found["settings"][0]
    assert "not judged" in table(found)


def test_a_setting_shares_the_weights_and_changes_steps_and_sampler(tmp_path):
    base = load_base(quick_settings(tmp_path))
    changed = base_under(base, TWO[1])
    assert changed.pipe.unet is base.pipe.unet
    assert changed.plain.num_inference_steps == round(base.plain.num_inference_steps / 2)
    assert type(changed.pipe.scheduler).__name__ == "DPMSolverMultistepScheduler"
    assert type(base.pipe.scheduler).__name__ == "EulerDiscreteScheduler"
