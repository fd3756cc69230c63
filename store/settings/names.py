"""Names of variables that look like ours and are none of our settings."""

import difflib
from collections.abc import Iterable

from store.errors import BadRequest
from store.settings import PREFIX, Settings
from store.settings.sources import nearest

READ_ELSEWHERE = {"NAYSAYER_REALDATA", "NAYSAYER_CHROMIUM", "NAYSAYER_TEST_POSTGRES_URL"}
"""Names that only tests read: where real files, a browser and a PostgreSQL server are."""
OURS = PREFIX.rstrip("_")
ALIKE = 0.8
"""How like ours the beginning of a name must be to be taken for a misspelt one."""


class UnknownSetting(BadRequest):
    """A misspelt setting in the environment, which `run_command` has named already."""


def unknown_names(names: Iterable[str], place: str) -> dict[str, str]:
    """The names that are no settings and look like ours, each with a sentence that says which was probably meant.

    >>> unknown_names(["NAYSAYER_RETRAIN_AFTR"], "the environment").popitem()[1]
    'NAYSAYER_RETRAIN_AFTR in the environment is not a setting; did you mean NAYSAYER_RETRAIN_AFTER?'
    """
    return {name: f"{name} in {place} is not a setting{_remedy(name)}" for name in names if _is_unknown(name)}


def is_misspelt(name: str) -> bool:
    """Whether an unknown name is so like a setting's that it was probably meant as one, with its value."""
    return bool(_nearest(name))


def _is_unknown(name: str) -> bool:
    prefix, _, rest = name.upper().partition("_")
    is_setting = rest.lower() in Settings.model_fields
    is_ours = prefix == OURS and (is_setting or name in READ_ELSEWHERE)
    return not is_ours and (prefix.startswith(OURS) or (is_setting and _is_like_ours(prefix)))


def _is_like_ours(prefix: str) -> bool:
    return difflib.SequenceMatcher(None, prefix, OURS).ratio() >= ALIKE


def _remedy(name: str) -> str:
    return _nearest(name) or "; `naysayer settings` lists them all"


def _nearest(name: str) -> str:
    _, _, rest = name.upper().partition("_")
    return nearest(rest or name.upper().removeprefix(OURS), Settings.model_fields)
