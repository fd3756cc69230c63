import numpy as np

from bench.compositions import FAULTS, SUBJECTS, pictures, read_prompt


def test_pictures_come_in_turn_and_in_the_share_asked_for():
    drawn = pictures(600, faulty=0.45, seed=3)
    assert drawn.pixels.shape == (600, 64, 64, 3)
    assert [scene.subject for scene in drawn.scenes[:4]] == list(SUBJECTS)
    assert 0.38 < sum(fault is not None for fault in drawn.faults) / 600 < 0.52
    assert {fault for fault in drawn.faults if fault} == {fault for faults in FAULTS.values() for fault in faults}
    assert [read_prompt(prompt) for prompt in drawn.prompts] == drawn.scenes


def test_the_same_seed_gives_the_same_pictures():
    first, again, other = (pictures(12, 0.5, seed) for seed in (1, 1, 2))
    assert np.array_equal(first.pixels, again.pixels) and first.prompts == again.prompts
    assert not np.array_equal(first.pixels, other.pixels)
