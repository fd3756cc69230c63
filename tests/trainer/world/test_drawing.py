import numpy as np
import pytest

from trainer.world import FAULTS, SUBJECTS, all_scenes, draw, pictures

CASES = [(subject, fault) for subject in SUBJECTS for fault in (None, *FAULTS[subject])]


@pytest.mark.parametrize(("subject", "fault"), CASES)
def test_the_same_seed_draws_the_same_picture_and_another_seed_another(subject, fault):
    scene = all_scenes(subject)[7]
    first, again, other = (draw(scene, np.random.default_rng(seed), fault) for seed in (1, 1, 2))
    assert first.mode == "RGB" and first.size == (64, 64)
    assert first.tobytes() == again.tobytes() != other.tobytes()


def test_a_fault_that_a_subject_cannot_have_is_refused():
    with pytest.raises(ValueError, match="a hand has no fault 'word'"):
        draw(all_scenes("hand")[0], np.random.default_rng(0), "word")


def test_pictures_come_in_turn_and_in_the_share_asked_for():
    drawn = pictures(600, faulty=0.45, seed=3)
    assert drawn.pixels.shape == (600, 64, 64, 3)
    assert [scene.subject for scene in drawn.scenes[:6]] == list(SUBJECTS)
    assert 0.38 < sum(fault is not None for fault in drawn.faults) / 600 < 0.52
    assert {fault for fault in drawn.faults if fault} == {fault for faults in FAULTS.values() for fault in faults}
