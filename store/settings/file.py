"""Settings from outside: read once by each process, and kept in `naysayer.toml` by `naysayer set` and `unset`."""

import errno
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import tomlkit
from pydantic import ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from store.errors import BadRequest
from store.files import make_folder, read_toml, write_file
from store.settings import BUILTIN, PATHS, PREFIX, Settings
from store.settings.checks import clean_path, clean_text, only_host, without_password
from store.settings.history import SettingChange, as_change, one_at_a_time, record_change
from store.settings.names import UnknownSetting, is_misspelt, unknown_names
from store.settings.sources import NOT_KEPT, SECRETS, SETTINGS_FILE, is_secret, nearest, read_dotenv
from store.settings.words import why
from store.texts import find_control

COMMAND_LINE = "command line"


class WithoutFile(Settings):
    """The settings as they are without the data folder's file, which is about to be changed."""

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], *sources: PydanticBaseSettingsSource, **named: PydanticBaseSettingsSource
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return super().settings_customise_sources(settings_cls, *sources, **named)[:-1]


class Origin(NamedTuple):
    """One setting: the value in use, and where it comes from."""

    field: str
    value: Any
    place: str

    @property
    def is_secret(self) -> bool:
        """Whether the value is a secret, or holds one."""
        return bool(self.value) and is_secret(self.field, self.value)

    @property
    def text(self) -> str:
        """The value as it is written into a shell or a file."""
        return "" if self.value is None else str(self.value)

    @property
    def words(self) -> str:
        """The value for people; never that of a secret.

        >>> Origin("secret", "x" * 32, ".env").words
        'set'
        """
        if self.field in SECRETS:
            return "set" if self.value else ""
        if self.field == "store_url":
            return without_password(self.text)
        return only_host(self.text) if self.field == "webhook_url" and self.value else self.text


def read_settings() -> Settings:
    """The settings of this process.

    Raises BadRequest naming the first value that cannot be used, a name that is no setting, or a folder without a name.
    """
    for name, sentence in unknown_names(os.environ, "the environment").items():
        if is_misspelt(name):
            raise UnknownSetting(sentence)
    for sentence in unknown_names(read_dotenv(), ".env").values():
        raise BadRequest(sentence)
    try:
        settings = Settings()
    except ValidationError as error:
        raise BadRequest(f"{_reason(error.errors()[0], _place_of)}; see docs/reference/settings.md") from error
    if find_control(folder := str(settings.data_dir.absolute())):
        raise BadRequest(
            f"the data folder would be {folder!r}, a name that is not UTF-8 text or holds a control character; rename "
            f"the folder, or set {PREFIX}DATA_DIR to another one"
        )
    return settings


def read_data_dir() -> Path:
    """The data folder, even while another setting cannot be used. Raises BadRequest when this one cannot."""
    name = f"{PREFIX}DATA_DIR"
    found = [
        value
        for place in (os.environ, read_dotenv())
        for key, value in place.items()
        if key.upper() == name and value.strip()
    ]
    try:
        return Path(clean_path(clean_text(found[0]))) if found else Settings.model_fields["data_dir"].default
    except ValueError as error:
        raise BadRequest(f"{name} in {_place_of('data_dir')} cannot be used: {error}") from error


def keep(folder: Path, name: str, value: str, *, by: str = COMMAND_LINE) -> Path:
    """Keeps a setting in the file of this data folder, and who did it; returns the file. Comments in it stay.

    Raises BadRequest, and writes nothing, when the name is no setting or the value cannot be used.
    """
    field = field_of(name)
    if field in NOT_KEPT or is_secret(field, value):
        raise BadRequest(
            f"{field} cannot be kept in the data folder; put {PREFIX}{field.upper()} into the environment or .env"
        )
    if not value.strip():
        return forget(folder, name, by=by)
    with _changing(folder):
        document = _document(folder)
        before = document.get(field)
        document[field] = _absolute(value) if field in PATHS else value
        checked = _check(folder, document) or _faults(folder, {field: document[field]})[0]
        if checked is not None:
            found = getattr(checked, field)
            document[field] = str(found) if isinstance(found, Path) else found
        return _write(folder, document, as_change(field, _words(field, before), _words(field, document[field]), by))


def forget(folder: Path, name: str, *, by: str = COMMAND_LINE) -> Path:
    """Takes a setting out of the file of this data folder, so that its default holds again; returns the file.

    Raises BadRequest, and writes nothing, when the other settings in the file need this one.
    """
    with _changing(folder):
        document = _document(folder)
        field = name if name in document else field_of(name)
        before = document.pop(field, None)
        if before is None:
            return folder / SETTINGS_FILE
        _check(folder, document)
        return _write(folder, document, as_change(field, _words(field, before), "", by))


def find_fault_of(folder: Path, field: str, value: str) -> str:
    """Why this setting cannot have this value, to follow "it cannot be used: "; empty when it can."""
    _, found = _faults(folder, {field: value})
    return next((why(fault, Settings.model_fields[field]) for fault in found if fault["loc"] == (field,)), "")


def field_of(name: str) -> str:
    """The setting that a person means by `retrain_after`, `RETRAIN-AFTER` or `NAYSAYER_RETRAIN_AFTER`.

    Raises BadRequest with the nearest name when there is none.

    >>> field_of("NAYSAYER_RETRAIN_AFTER")
    'retrain_after'
    """
    field = as_field(name)
    if field not in Settings.model_fields:
        raise BadRequest(f"{name!r} is not a setting{_nearest(field)}; see docs/reference/settings.md")
    return field


def as_field(name: str) -> str:
    """A name as settings are spelt in Python and in the file."""
    return name.strip().replace("-", "_").lower().removeprefix(PREFIX.lower())


def origins(settings: Settings) -> list[Origin]:
    """Every setting with its value and its place: the environment, `.env`, the data folder's file, or the default."""
    places = [
        ("environment", _fields(os.environ)),
        (".env", _fields(read_dotenv())),
        (SETTINGS_FILE, set(_document(settings.data_dir))),
    ]
    return [
        Origin(field, getattr(settings, field), next((place for place, fields in places if field in fields), "default"))
        for field in Settings.model_fields
    ]


def _place_of(field: str) -> str:
    """Where this process reads a setting from, in words."""
    if field in _fields(os.environ):
        return "the environment"
    return ".env" if field in _fields(read_dotenv()) else f"{SETTINGS_FILE} in the data folder"


def _fields(values: Mapping[str, str]) -> set[str]:
    return {
        name.upper().removeprefix(PREFIX).lower()
        for name, value in values.items()
        if value and name.upper().startswith(PREFIX)
    }


def _absolute(value: str) -> str:
    """The whole path of a file or folder that exists; else the value, which may be a hub id."""
    try:
        path = Path(value)
        return str(path.resolve()) if value != BUILTIN and path.exists() else value
    except (OSError, ValueError):
        return value  # no path at all; the check says so


def _check(folder: Path, document: tomlkit.TOMLDocument) -> Settings | None:
    """The settings as they would be with this document as the file; None while an older fault of the file remains.

    Raises BadRequest when the document has a fault that the file does not have.
    """
    after, found = _faults(folder, document.unwrap())
    _, before = _faults(folder, _document(folder).unwrap())
    known = {(fault["loc"], fault["msg"]) for fault in before}
    new = [fault for fault in found if (fault["loc"], fault["msg"]) not in known]
    if before:
        new = [fault for fault in new if fault["loc"]]  # the others were hidden by the older fault
    if new:
        raise BadRequest(f"{_reason(new[0])}; nothing was changed")
    return after


def _faults(folder: Path, values: Mapping[str, Any]) -> tuple[Settings | None, list[Any]]:
    given = {name: value for name, value in values.items() if name in Settings.model_fields}
    try:
        return WithoutFile(**given | {"data_dir": folder}), []
    except ValidationError as error:
        return None, error.errors()


def _document(folder: Path) -> tomlkit.TOMLDocument:
    path = folder / SETTINGS_FILE
    if not path.is_file():
        return tomlkit.document()
    read_toml(path)  # says where it is no TOML
    return tomlkit.parse(path.read_text(encoding="utf-8-sig"))


@contextmanager
def _changing(folder: Path) -> Iterator[None]:
    """While the file is read and written; nobody else changes it meanwhile. Raises Busy."""
    try:
        with one_at_a_time(folder) if folder.is_dir() else nullcontext():
            yield
    except OSError as error:
        why = "disk full" if error.errno in (errno.ENOSPC, errno.EDQUOT) else error.strerror
        path = folder / SETTINGS_FILE
        raise BadRequest(f"{path} cannot be written ({why}); look at the disk and the rights there") from error


def _write(folder: Path, document: tomlkit.TOMLDocument, change: SettingChange) -> Path:
    path = folder / SETTINGS_FILE
    make_folder(folder)
    write_file(path, tomlkit.dumps(document).encode())
    if change.before != change.after:
        record_change(folder, change)
    return path


def _words(field: str, value: Any) -> str:
    return Origin(field, value, "").words


def _reason(fault: Mapping[str, Any], place_of: Callable[[str], str] | None = None) -> str:
    """Which setting cannot be used, where it is read from, and why; never with the value of a secret."""
    if not fault["loc"]:
        return str(fault["ctx"]["error"])  # of several settings; it names them itself
    field = str(fault["loc"][0])
    about = Settings.model_fields[field]
    found = f" (found {str(fault['input'])[:40]!r})" if about.annotation not in (str, Path) else ""  # it may be secret
    place = f" in {place_of(field)}" if place_of else ""
    return f"{PREFIX}{field.upper()}{place} cannot be used: {why(fault, about)}{found}"


def _nearest(name: str) -> str:
    return nearest(name, Settings.model_fields)
