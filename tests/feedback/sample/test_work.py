from dataclasses import replace

from feedback.sample.work import Work, work_key
from store.tables import Origin
from tests.feedback.sample.planned import DRAWING


def test_a_picture_is_named_by_all_that_made_it() -> None:
    work = Work(1, "a red star", 7, 0, Origin.sampled)
    others = [replace(work, seed=8), replace(work, version=1), replace(work, prompt_id=2)]
    drawings = [replace(DRAWING, **{field: value}) for field, value in CHANGES.items()]
    keys = [work_key(other, DRAWING) for other in [work, *others]] + [work_key(work, other) for other in drawings]
    assert len(set(keys)) == len(keys)
    assert all(len(key) == 64 for key in keys)
    assert work_key(work, DRAWING) == work_key(replace(work), replace(DRAWING))


CHANGES = {
    "rule": "same-prompt",
    "strength": 1.0,
    "guidance_scale": 5.0,
    "num_inference_steps": 11,
    "width": 32,
    "height": 32,
    "negative_prompt": "blurred",
}
