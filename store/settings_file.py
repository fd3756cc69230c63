"""Settings from outside: read once by each process, and kept in `naysayer.toml` by `naysayer set` and `unset`."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import tomlkit
from dotenv import dotenv_values
from pydantic import ValidationError

from store.errors import BadRequest
from store.files import make_folder, write_file
from store.settings import BUILTIN, NOT_KEPT, PATHS, PREFIX, SECRETS, SETTINGS_FILE, Settings, nearest

READ_ELSEWHERE = {"NAYSAYER_REALDATA", "NAYSAYER_CHROMIUM", "NAYSAYER_TEST_POSTGRES_URL"}
"""Names that only tests read: where real files, a browser and a PostgreSQL server are."""


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
    _refuse_unknown(_dotenv(), ".env")
    try:
        return Settings()
    except ValidationError as error:
        raise BadRequest(f"{reason_of(error, _place_of)}; see docs/reference/settings.md") from error


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
    document = _document(settings)
    document[field] = _absolute(value) if field in PATHS else value
    value_checked = getattr(_check(settings, document), field)
    document[field] = str(value_checked) if isinstance(value_checked, Path) else value_checked
    return _write(settings, document)


def forget(settings: Settings, name: str) -> Path:
    """Takes a setting out of the data folder's file, so that its default holds again; returns the file.

    Raises BadRequest, and writes nothing, when the other settings in the file need this one.
    """
    document = _document(settings)
    if document.pop(field_of(name), None) is not None:
        _check(settings, document)
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
    places = [
        ("environment", _fields(os.environ)),
        (".env", _fields(_dotenv())),
        (SETTINGS_FILE, set(_document(settings))),
    ]
    return [
        Origin(field, getattr(settings, field), next((place for place, fields in places if field in fields), "default"))
        for field in Settings.model_fields
    ]


def _place_of(field: str) -> str:
    """Where this process reads a setting from, in words."""
    if field in _fields(os.environ):
        return "the environment"
    return ".env" if field in _fields(_dotenv()) else f"{SETTINGS_FILE} in the data folder"


def _dotenv() -> Mapping[str, str | None]:
    """The lines of `.env` in the current folder. Raises BadRequest when it is not UTF-8."""
    try:
        return dotenv_values(".env", interpolate=False)
    except UnicodeDecodeError as error:
        raise BadRequest(".env in this folder is not UTF-8 text; save it as UTF-8") from error


def _fields(values: Mapping[str, str | None]) -> set[str]:
    return {
        name.upper().removeprefix(PREFIX).lower()
        for name, value in values.items()
        if value and name.upper().startswith(PREFIX)
    }


def _absolute(value: str) -> str:
    """The whole path of a file or folder that exists; else the value, which may be a hub id."""
    path = Path(value)
    return str(path.resolve()) if value != BUILTIN and path.exists() else value


def _check(settings: Settings, document: Mapping[str, Any]) -> Settings:
    """The settings as they are with this document as the file. Raises BadRequest when they cannot be used."""
    # Settings reads the old file as well: what is taken out of it must not come back from there.
    removed = set(_document(settings)) - set(document) - _fields(os.environ) - _fields(_dotenv())
    defaults = {field: Settings.model_fields[field].default for field in removed}
    try:
        return Settings(**defaults | dict(document) | {"data_dir": settings.data_dir})
    except ValidationError as error:
        raise BadRequest(f"{reason_of(error)}; nothing was changed") from error


def _document(settings: Settings) -> tomlkit.TOMLDocument:
    path = settings.data_dir / SETTINGS_FILE
    return tomlkit.parse(path.read_text(encoding="utf-8")) if path.is_file() else tomlkit.document()


def _write(settings: Settings, document: tomlkit.TOMLDocument) -> Path:
    make_folder(settings.data_dir)
    path = settings.data_dir / SETTINGS_FILE
    write_file(path, tomlkit.dumps(document).encode())
    return path


def reason_of(error: ValidationError, place_of: Callable[[str], str] | None = None) -> str:
    """Which setting cannot be used, where it is read from, and why; never with the value of a secret."""
    first = error.errors()[0]
    why = first["msg"].removeprefix("Value error, ")
    if not first["loc"]:
        return why  # of several settings; it names them itself
    field = str(first["loc"][0])
    place = f" in {place_of(field)}" if place_of else ""
    return f"{PREFIX}{field.upper()}{place} cannot be used: {why}"


def _refuse_unknown(names: Any, place: str) -> None:
    for name in names:
        field = name.upper().removeprefix(PREFIX).lower()
        if name.upper().startswith(PREFIX) and name not in READ_ELSEWHERE and field not in Settings.model_fields:
            raise BadRequest(f"{name} in {place} is not a setting{nearest(field)}; see docs/reference/settings.md")
