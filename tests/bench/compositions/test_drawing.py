import numpy as np
import pytest

from bench.compositions import FAULTS, SUBJECTS, all_scenes, draw
from bench.compositions.palette import BACKGROUNDS, COLOURS

CASES = [(subject, fault) for subject in SUBJECTS for fault in (None, *FAULTS[subject])]


@pytest.mark.parametrize(("subject", "fault"), CASES)
def test_the_same_seed_draws_the_same_picture_and_another_seed_another(subject, fault):
    scene = all_scenes(subject)[7]
    first, again, other = (draw(scene, np.random.default_rng(seed), fault) for seed in (1, 1, 2))
    assert first.mode == "RGB" and first.size == (64, 64)
    assert first.tobytes() == again.tobytes() != other.tobytes()


def test_a_fault_that_a_subject_cannot_have_is_refused():
    with pytest.raises(ValueError, match="a face has no fault 'relation'"):
        draw(all_scenes("face")[0], np.random.default_rng(0), "relation")


def test_colours_are_far_from_one_another_and_from_every_background():
    for name, colour in COLOURS.items():
        others = [rgb for other, rgb in COLOURS.items() if other != name] + list(BACKGROUNDS.values())
        assert min(np.linalg.norm(np.subtract(colour, rgb)) for rgb in others) > 120, name
