"""What a check can judge: pictures with a prompt, of a size that is near to what the store draws."""

from feedback.exchange.pictures.outcome import TAKEN
from feedback.metadata.found import Found
from feedback.sample.prompts import clean_prompt
from store.errors import BadRequest

MOST_AREA, LEAST_SIDE = 4.0, 0.25
"""A picture has at most so many times the area that the store draws, and no side below this part of its shorter one:
the check has seen no others, and a very large one does not fit into memory."""


def prompt_of(found: Found, drawn: tuple[int, int] | None) -> tuple[str, str]:
    """The prompt that a picture is scored under, or why it cannot be."""
    if found.status not in TAKEN:
        return "", found.why
    if drawn is not None and not fits(found.width, found.height, drawn):
        return "", (
            f"it is {found.width}×{found.height}; this store draws {drawn[0]}×{drawn[1]}, and its check has seen "
            "nothing so different"
        )
    try:
        return clean_prompt(found.prompt or ""), ""
    except BadRequest as error:
        return "", str(error)


def fits(width: int, height: int, drawn: tuple[int, int]) -> bool:
    """Whether a picture's size is near enough to the drawn one.

    >>> fits(832, 1216, (1024, 1024)), fits(4096, 4096, (1024, 1024)), fits(64, 1024, (1024, 1024))
    (True, False, False)
    """
    return width * height <= MOST_AREA * drawn[0] * drawn[1] and min(width, height) >= LEAST_SIDE * min(drawn)
