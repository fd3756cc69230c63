"""What Python hands to the rating page's JavaScript."""

import json

from store.tables import Reason
from ui.rate.page_data import KEYS, LIMITS, keycap, page_data, shortcut
from ui.rate.routes import NextBody, VotesBody


def test_the_data_travels_as_json():
    assert json.loads(json.dumps(page_data("ada"))) == {
        "rater": "ada",
        "reasons": [reason.value for reason in Reason],
        "keys": {mode: {action: list(keys) for action, keys in bound.items()} for mode, bound in KEYS.items()},
        "done": {"reject": "Rejected", "keep": "Kept", "skip": "Skipped", "undo": "Undone"},
        "limits": LIMITS._asdict() | {"sweepSizes": list(LIMITS.sweepSizes)},
    }


def test_no_key_means_two_things_in_one_mode():
    for mode, bound in KEYS.items():
        keys = [key for action in (bound | KEYS["page"]).values() for key in action]
        assert len(keys) == len(set(keys)), mode


def test_the_page_asks_for_no_more_than_the_routes_take():
    largest = max(LIMITS.queue, *(min(LIMITS.maxQueue, 2 * size) for size in LIMITS.sweepSizes))
    assert NextBody(rater="ada", count=largest).count == LIMITS.maxQueue
    press = {"request_id": "a", "image_id": 1, "verdict": "keep", "marks": [{"x": 0, "y": 1}] * LIMITS.maxMarks}
    body = VotesBody.model_validate({"rater": "ada", "votes": [press] * LIMITS.batchSize})
    assert len(body.votes) == LIMITS.batchSize <= LIMITS.maxBatch


def test_a_key_is_printed_as_on_the_keyboard_and_named_as_in_aria():
    assert [keycap(key) for key in ("j", "ArrowLeft", " ", "Enter", "?")] == ["J", "←", "Space", "Enter", "?"]
    assert [shortcut(key) for key in ("j", "ArrowLeft", "Enter")] == ["J", "ArrowLeft", "Enter"]
