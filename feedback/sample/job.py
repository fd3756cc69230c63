"""What a picture is drawn from."""

from typing import NamedTuple


class Job(NamedTuple):
    """One picture to draw: the same prompt, seed and version give the same picture."""

    prompt: str
    seed: int
