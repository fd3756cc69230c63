"""What the rating page's JavaScript, the plain form and the routes share: reasons, keys and limits."""

from typing import Any, NamedTuple

from feedback.rate.queue import Shown
from feedback.rate.raters import MAX_NAME
from feedback.rate.votes import MAX_MARKS
from store.tables import Reason

REASONS = tuple(reason.value for reason in Reason)
KEYS: dict[str, dict[str, tuple[str, ...]]] = {
    "page": {"help": ("?",), "more": ("m",), "guidelines": ("g",)},
    "one": {
        "reject": ("j", "ArrowLeft"),
        "keep": ("k", "ArrowRight"),
        "skip": ("s",),
        "undo": ("u",),
        "zoom": ("z",),
        "blur": ("b",),
        "unveil": (" ",),
    },
    "sweep": {
        "pick": ("x",),
        "submit": ("Enter",),
        "undo": ("u",),
        "left": ("ArrowLeft",),
        "right": ("ArrowRight",),
        "up": ("ArrowUp",),
        "down": ("ArrowDown",),
    },
}
"""The keys of each action, as `KeyboardEvent.key`, for the whole page and for each of its modes."""
DONE = {"reject": "Rejected", "keep": "Kept", "skip": "Skipped", "undo": "Undone"}
"""What the rater is told after each verdict."""
KEYCAPS = {"ArrowLeft": "←", "ArrowRight": "→", " ": "Space"}


class Limits(NamedTuple):
    """Sizes and times, named as the JavaScript names them."""

    queue: int = 24  # pictures kept ready: twenty presses at once still find one each
    maxQueue: int = 64  # pictures in one answer
    maxMarks: int = MAX_MARKS  # on one picture
    lateReasonMs: int = 2000  # so long after a reject a reason belongs to it
    history: int = 30  # last votes that can be changed
    batchSize: int = 100  # votes sent at once
    maxBatch: int = 500  # votes taken at once
    firstResendMs: int = 400
    lastResendMs: int = 8000
    timeoutMs: int = 15_000
    sweepSizes: tuple[int, ...] = (4, 9, 12, 16, 25, 36)
    sweepSize: int = 12
    maxName: int = MAX_NAME  # characters


LIMITS = Limits()


def page_data(rater: str) -> dict[str, Any]:
    """What the component hands to its JavaScript; `rater` is who is signed in, or empty."""
    return {"rater": rater, "reasons": REASONS, "keys": KEYS, "done": DONE, "limits": LIMITS._asdict()}


def coming_words(is_drawing: bool) -> str:
    """What somebody who has seen everything may expect."""
    if is_drawing:
        return "New pictures are coming."
    return "No new pictures are being drawn, because the worker does not run. Tell whoever runs this server."


def keycap(key: str) -> str:
    """The key as it is printed on a keyboard."""
    return KEYCAPS.get(key, shortcut(key))


def shortcut(key: str) -> str:
    """The key as `aria-keyshortcuts` names it."""
    return key.upper() if len(key) == 1 else key


def enlargement(image: Shown, side_px: int) -> int:
    """How many times a picture fits into `side_px` pixels, at least once; only whole multiples show it unblurred."""
    return max(1, side_px // max(image.width, image.height))
