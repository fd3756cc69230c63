"""What the loop does where the settings leave it open: plain functions of the settings."""

from typing import Literal

from store.settings import Settings

Promotion = Literal["manual", "gate", "auto"]


def rejects_needed(settings: Settings) -> int:
    """How many new rejects make a retrain due."""
    return settings.retrain_after or (40 if settings.is_builtin else 100)


def retrains_itself(settings: Settings) -> bool:
    """Whether the worker starts a retrain when one is due."""
    return settings.is_builtin if settings.auto_retrain is None else settings.auto_retrain


def promotion_mode(settings: Settings) -> Promotion:
    """Who promotes a challenger: a person, the gate's votes, or the retrain itself.

    >>> promotion_mode(Settings(model="builtin")), promotion_mode(Settings(model="other/model"))
    ('auto', 'gate')
    """
    return settings.promotion or ("auto" if settings.is_builtin and retrains_itself(settings) else "gate")


def pairs_wanted(settings: Settings) -> int:
    """How many pairs the default evaluation set has."""
    if settings.evaluation_pairs is not None:
        return settings.evaluation_pairs
    return 12 if promotion_mode(settings) == "auto" else 200
