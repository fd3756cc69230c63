"""Settings from outside: read once by each process, and kept in `naysayer.toml` by `naysayer set` and `unset`."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import tomlkit
from dotenv import dotenv_values
from pydantic import ValidationError

from store.errors import BadRequest
from store.files import make_folder, write_file
from store.settings import NOT_KEPT, PATHS, PREFIX, SECRETS, SETTINGS_FILE, Settings, nearest

READ_ELSEWHERE = {"NAYSAYER_REALDATA", "NAYSAYER_CHROMIUM"}
"""Names of our own that are no settings: where tests find real files and a browser."""


class Origin(NamedTuple):
    """One setting: the value in use, and where it comes from."""

    field: str
    value: Any
    place: str

    @property
    def words(self) -> str:
        """The value for people; never that of a secret.

        >>> Origin("secret", "x" * 32, ".env").words
        'set'
        """
        if self.field in SECRETS:
            return "set" if self.value else ""
        return "" if self.value is None else str(self.value)


def read_settings() -> Settings:
    """The settings of this process.

    Raises BadRequest naming the first value that cannot be used, or a name that is no setting.
    """
    _refuse_unknown(os.environ, "the environment")
    _refuse_unknown(dotenv_values(".env", interpolate=False), ".env")
    try:
        return Settings()
    except ValidationError as error:
        raise BadRequest(f"{reason_of(error)}; see docs/reference/settings.md") from error


def keep(settings: Settings, name: str, value: str) -> Path:
    """Keeps a setting in the data folder; returns the file. Comments in it stay.

    Raises BadRequest, and writes nothing, when the name is no setting or the value cannot be used.
    """
    field = field_of(name)
    if field in NOT_KEPT:
        raise BadRequest(
            f"{field} cannot be kept in the data folder; put {PREFIX}{field.upper()} into the environment or .env"
        )
    if not value.strip():
        return forget(settings, name)
    text = str(Path(value).expanduser().resolve()) if field in PATHS and Path(value).expanduser().exists() else value
    document = _document(settings)
    document[field] = _checked(settings, document, field, text)
    return _write(settings, document)


def forget(settings: Settings, name: str) -> Path:
    """Takes a setting out of the data folder's file, so that its default holds again; returns the file."""
    document = _document(settings)
    document.pop(field_of(name), None)
    return _write(settings, document)


def field_of(name: str) -> str:
    """The setting that a person means by `retrain_after`, `RETRAIN-AFTER` or `NAYSAYER_RETRAIN_AFTER`.

    Raises BadRequest with the nearest name when there is none.

    >>> field_of("NAYSAYER_RETRAIN_AFTER")
    'retrain_after'
    """
    field = name.strip().replace("-", "_").lower().removeprefix(PREFIX.lower())
    if field not in Settings.model_fields:
        raise BadRequest(f"{name} is not a setting{nearest(field)}; see docs/reference/settings.md")
    return field


def origins(settings: Settings) -> list[Origin]:
    """Every setting with its value and its place: the environment, `.env`, the data folder's file, or the default."""
    kept = _document(settings)
    places = [
        ("environment", _fields(os.environ)),
        (".env", _fields(dotenv_values(".env", interpolate=False))),
        (SETTINGS_FILE, set(kept)),
    ]
    return [
        Origin(field, getattr(settings, field), next((place for place, fields in places if field in fields), "default"))
        for field in Settings.model_fields
    ]


def _fields(values: Mapping[str, str | None]) -> set[str]:
    return {
        name.upper().removeprefix(PREFIX).lower()
        for name, value in values.items()
        if value and name.upper().startswith(PREFIX)
    }


def _checked(settings: Settings, document: Mapping[str, Any], field: str, text: str) -> Any:
    """The value as TOML holds it, checked together with what the file holds already."""
    others = {name: value for name, value in document.items() if name != field}
    try:
        checked = Settings(**others | {field: text, "data_dir": settings.data_dir})
    except ValidationError as error:
        raise BadRequest(f"{reason_of(error)}; nothing was changed") from error
    value = getattr(checked, field)
    return str(value) if isinstance(value, Path) else value


def _document(settings: Settings) -> tomlkit.TOMLDocument:
    path = settings.data_dir / SETTINGS_FILE
    return tomlkit.parse(path.read_text(encoding="utf-8")) if path.is_file() else tomlkit.document()


def _write(settings: Settings, document: tomlkit.TOMLDocument) -> Path:
    make_folder(settings.data_dir)
    path = settings.data_dir / SETTINGS_FILE
    write_file(path, tomlkit.dumps(document).encode())
    return path


def reason_of(error: ValidationError) -> str:
    """Which setting cannot be used and why, in a sentence that shows no value of a secret."""
    first = error.errors()[0]
    why = first["msg"].removeprefix("Value error, ")
    if not first["loc"]:
        return why  # of several settings; it names them itself
    return f"{PREFIX}{str(first['loc'][0]).upper()} cannot be used: {why}"


def _refuse_unknown(names: Any, place: str) -> None:
    for name in names:
        field = name.upper().removeprefix(PREFIX).lower()
        if name.upper().startswith(PREFIX) and name not in READ_ELSEWHERE and field not in Settings.model_fields:
            raise BadRequest(f"{name} in {place} is not a setting{nearest(field)}; see docs/reference/settings.md")
