from collections import Counter

import numpy as np

from trainer.world import FAULTS, SUBJECTS, pictures, read_prompt
from trainer.world.pictures import FAULT_WEIGHTS, pick_fault


def test_pictures_come_in_turn_and_in_the_share_asked_for():
    drawn = pictures(600, faulty=0.45, seed=3)
    assert drawn.pixels.shape == (600, 64, 64, 3)
    assert [scene.subject for scene in drawn.scenes[:6]] == list(SUBJECTS)
    assert 0.38 < sum(fault is not None for fault in drawn.faults) / 600 < 0.52
    assert {fault for fault in drawn.faults if fault} == {fault for faults in FAULTS.values() for fault in faults}


def test_every_prompt_reads_back_as_its_scene():
    drawn = pictures(60, faulty=0.5, seed=0)
    assert [read_prompt(prompt) for prompt in drawn.prompts] == drawn.scenes


def test_the_same_seed_gives_the_same_pictures():
    first, again, other = (pictures(12, 0.5, seed) for seed in (1, 1, 2))
    assert np.array_equal(first.pixels, again.pixels) and first.prompts == again.prompts
    assert not np.array_equal(first.pixels, other.pixels)


def test_faults_come_as_often_as_their_weights_say():
    rng = np.random.default_rng(0)
    found = Counter(pick_fault("sign", rng) for _ in range(4000))
    rest = (1 - sum(FAULT_WEIGHTS.values())) / 2
    expected = FAULT_WEIGHTS | {"word": rest, "part": rest}
    assert all(abs(found[fault] / 4000 - share) < 0.03 for fault, share in expected.items())
