"""The terms of rating: how many raters judge a picture, how long it is reserved, what is mixed in."""

from typing import NamedTuple, Self

from store.settings import Settings


class Mix(NamedTuple):
    """The chances that a control, a repeat, or a picture whose vote looks like a slip comes before a picture."""

    controls: float = 0.0
    repeats: float = 0.0
    looks: float = 0.0


class Terms(NamedTuple):
    """`overlap` raters judge a picture; it stays reserved for `lease_s` seconds for a rater who was given it.

    `ask_share` of the pictures are chosen for what their votes teach.
    """

    overlap: int = 1
    lease_s: float = 600
    mix: Mix = Mix()
    ask_share: float = 0.0

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The terms that the settings ask for."""
        mix = Mix(settings.control_share, settings.repeat_share, settings.look_again_share)
        return cls(settings.overlap, settings.lease_s, mix, settings.ask_share)
