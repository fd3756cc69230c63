"""The terms of rating: how many raters judge a picture, how long it is reserved, what is mixed in."""

from typing import NamedTuple, Self

from store.settings import Settings


class Mix(NamedTuple):
    """What a hand of pictures is made of: the shares of controls and repeats; whether disputed pictures come first, and
    the share of the queue that this order leaves alone."""

    controls: float = 0.0
    repeats: float = 0.0
    is_uncertain_first: bool = False
    slice_share: float = 0.2


class Terms(NamedTuple):
    """`overlap` raters judge a picture; it stays reserved for `lease_s` seconds for a rater who was given it."""

    overlap: int = 1
    lease_s: float = 600
    mix: Mix = Mix()

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The terms that the settings ask for."""
        is_uncertain_first = settings.queue_order == "uncertain-first"
        mix = Mix(settings.control_share, settings.repeat_share, is_uncertain_first, settings.unbiased_share)
        return cls(settings.overlap, settings.lease_s, mix)
