"""The settings that an admin may change from a page: safe while the loop runs, and none that opens a door.

A page never changes what runs code, names a file or an address, holds a secret, or decides who may come in.
"""

from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, NamedTuple

from pydantic.fields import FieldInfo

from store.errors import BadRequest
from store.settings import PREFIX, Settings
from store.settings.file import SETTINGS_FILE, Origin, field_of, find_fault_of, keep, origins
from store.settings.words import allowed_words, choices_of

AT_ONCE = "It holds at once."
NEXT_START = "It holds when the worker and the pages start again."
FIXING = {"environment": "the environment of the pages", ".env": "the file .env beside the pages"}


class Changeable(NamedTuple):
    """A setting in plain words: its name, what it does, its unit where its value is a share, and when it holds."""

    name: str
    does: str
    holds: str = AT_ONCE
    is_share: bool = False


class PageSetting(NamedTuple):
    """A setting that pages may change, as it is now; `fixed` says what fixes it, empty when nothing does."""

    field: str
    about: Changeable
    value: Any
    place: str
    allowed: str
    fixed: str

    @property
    def usual(self) -> str:
        """Its default, as it is written; empty where the default depends on other settings."""
        return _written(_field(self.field).default, in_percent=self.about.is_share)

    @property
    def written(self) -> str:
        """Its value, as it is written; empty while the default holds."""
        return "" if self.place == "default" else _written(self.value, in_percent=self.about.is_share)

    @property
    def choices(self) -> list[str]:
        """The words that it can be; none for a number."""
        return choices_of(_field(self.field))


GROUPS: dict[str, dict[str, Changeable]] = {
    "Rating": {
        "overlap": Changeable("Raters for each picture", "How many people judge a picture before it leaves the queue."),
        "control_share": Changeable(
            "Share of controls", "How often a rater gets a picture with a known answer.", is_share=True
        ),
        "repeat_share": Changeable(
            "Share of repeats", "How often a rater gets a picture again that he or she judged before.", is_share=True
        ),
        "look_again_share": Changeable(
            "Share of second looks", "How often a picture comes whose vote looks like a slip.", is_share=True
        ),
        "rater_share": Changeable(
            "Most that one rater decides",
            "With several raters, the largest share of a version's rejects that may rest on one of them.",
            is_share=True,
        ),
    },
    "Drawing": {
        "queue_target": Changeable("Pictures kept ready", "How many unrated pictures the worker keeps waiting."),
        "base_slice": Changeable(
            "Share of the plain base",
            "How many of the pictures the base model draws without a LoRA; they show the progress.",
            is_share=True,
        ),
        "ask_share": Changeable(
            "Share of asked pictures", "How many pictures are chosen for what their votes teach.", NEXT_START, True
        ),
        "tries": Changeable(
            "Second tries", "How often a picture that the check takes for a reject is drawn again.", NEXT_START
        ),
        "checked_share": Changeable(
            "Share that may be tried again", "How many of the pictures to rate may be drawn again.", NEXT_START, True
        ),
    },
    "Retrains and promotion": {
        "retrain_after": Changeable("Rejects for a retrain", "How many new rejects make a retrain due."),
        "auto_retrain": Changeable("Retrain by itself", "Whether the worker starts a retrain that is due."),
        "promotion": Changeable(
            "Who promotes", "A person (manual), the votes on pairs (gate), or each retrain itself (auto)."
        ),
        "evaluation_share": Changeable(
            "Share of comparing pictures",
            "How many of the waiting pictures compare a challenger with the champion.",
            is_share=True,
        ),
    },
}
CHANGEABLE = {field: about for group in GROUPS.values() for field, about in group.items()}


def page_settings(settings: Settings) -> dict[str, list[PageSetting]]:
    """What pages may change, by group, as it is now in this process."""
    found = {origin.field: origin for origin in origins(settings)}
    return {
        group: [_as_it_is(field, about, found[field]) for field, about in those.items()]
        for group, those in GROUPS.items()
    }


def change_setting(settings: Settings, name: str, value: str, by: str) -> Path:
    """Keeps a setting in the data folder for a page, as `naysayer set` does; an empty value goes back to the default.

    A share is written in per cent. Raises BadRequest, and writes nothing, for a setting that pages may not change, that
    something else fixes, or a value that cannot be used.
    """
    field = field_of(name)
    if field not in CHANGEABLE:
        raise BadRequest(f"{field} is not changed from a page; use `naysayer set {field} VALUE`; nothing was changed")
    place = next(origin.place for origin in origins(settings) if origin.field == field)
    if place in FIXING:
        raise BadRequest(f"{_fixed_words(field, place)}; nothing was changed")
    about = CHANGEABLE[field]
    kept = _share_of(value) if about.is_share else value
    if value.strip() and find_fault_of(settings.data_dir, field, kept):
        allowed = allowed_words(_field(field), in_percent=about.is_share)
        raise BadRequest(f"{about.name}: {value.strip()[:40]!r} is not {allowed}; nothing was changed")
    return keep(settings.data_dir, field, kept, by=by)


def _share_of(percent: str) -> str:
    """A share from per cent, as the file holds it; what is no number stays what it is.

    >>> _share_of(" 12.5 %"), _share_of("7"), _share_of("many"), _share_of("")
    ('0.125', '0.07', 'many', '')
    """
    try:
        return f"{Decimal(percent.strip().removesuffix('%').strip()) / 100}"
    except InvalidOperation:
        return percent


def _as_it_is(field: str, about: Changeable, origin: Origin) -> PageSetting:
    fixed = _fixed_words(field, origin.place) if origin.place in FIXING else ""
    return PageSetting(
        field, about, origin.value, origin.place, allowed_words(_field(field), in_percent=about.is_share), fixed
    )


def _fixed_words(field: str, place: str) -> str:
    return f"{PREFIX}{field.upper()} in {FIXING[place]} fixes it and wins over {SETTINGS_FILE}; change it there"


def _field(field: str) -> FieldInfo:
    return Settings.model_fields[field]


def _written(value: Any, *, in_percent: bool = False) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{100 * value:g} %" if in_percent else f"{value}"
