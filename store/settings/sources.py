"""Where settings come from beside the environment: `.env` in the current folder, `naysayer.toml` in the data folder."""

import difflib
import io
import logging
import shlex
from collections.abc import Collection
from pathlib import Path
from typing import Any

from dotenv.parser import parse_stream
from pydantic_settings import DotEnvSettingsSource, PydanticBaseSettingsSource

from store.errors import BadRequest
from store.files import expand_home, read_toml
from store.settings.checks import without_password

logging.getLogger("dotenv.main").setLevel(logging.ERROR)  # lines of other programs may be what they like
SETTINGS_FILE = "naysayer.toml"
SECRETS = ("secret", "oidc_client_secret", "webhook_secret")
"""Never shown."""
NOT_KEPT = ("data_dir", *SECRETS)
"""What the data folder's file cannot hold: its own place, and secrets."""


class Dotenv(DotEnvSettingsSource):
    """The lines of `.env` as they are written: a `$` in a password stays, and one in a path is refused."""

    def _read_env_file(self, file_path: Path) -> dict[str, str | None]:
        return {name.lower(): value for name, value in read_dotenv(file_path).items() if value}


class DataFolder(PydanticBaseSettingsSource):
    """The values of `naysayer.toml` in the data folder that the other sources name."""

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:
        return None, field_name, False  # pydantic-settings wants the method; the whole file is read at once

    def __call__(self) -> dict[str, Any]:
        fields = self.settings_cls.model_fields
        folder = self.current_state.get("data_dir") or fields["data_dir"].default
        try:
            return read_file(Path(expand_home(str(folder).strip())) / SETTINGS_FILE, fields)
        except ValueError:
            return {}  # `~` of nobody, a `$` or a control character; the check of data_dir says so


def read_dotenv(path: Path = Path(".env")) -> dict[str, str]:
    """Name and value of each line of `.env`; none when there is no such file.

    Raises BadRequest when it is not UTF-8, or one of our lines is no `NAME=value`. Lines of other programs may be both.
    """
    if not path.is_file():
        return {}
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadRequest(".env in this folder is not UTF-8 text; save it as UTF-8") from error
    found = {}
    for line in parse_stream(io.StringIO(text)):
        if line.error and "NAYSAYER_" in line.original.string.upper():
            raise BadRequest(f"line {line.original.line} of .env is not NAME=value; correct it or remove it")
        if line.key and line.value is not None:
            found[line.key] = line.value
    return found


def read_file(path: Path, fields: Collection[str]) -> dict[str, Any]:
    """The values of a `naysayer.toml`; none when there is no such file.

    Raises BadRequest when it is not TOML, or holds a name that is no setting, or one that is not kept there.
    """
    values = read_toml(path) if path.exists() else {}
    for name, value in values.items():
        remedy = f"remove it with `naysayer unset {shlex.quote(name)}`"
        variable = f"NAYSAYER_{name.upper()}"
        plain = name.lower().removeprefix("naysayer_")
        if name not in fields and plain in fields:
            raise BadRequest(f"{path} holds {name}, but there settings are lower case and bare; write {plain} instead")
        if name not in fields and isinstance(value, dict):
            raise BadRequest(f"{path} holds the section [{name}], but it has none; write its lines without it")
        if name not in fields:
            raise BadRequest(f"{name} in {path} is not a setting{nearest(name, fields)}; {remedy}")
        if name in NOT_KEPT or is_secret(name, value):
            raise BadRequest(
                f"{name} cannot be kept in {path}; put {variable} into the environment or .env, and {remedy}"
            )
    return values


def is_secret(field: str, value: Any) -> bool:
    """Whether a setting's value is a secret, or a database URL that holds one.

    >>> is_secret("store_url", "postgresql://db/naysayer"), is_secret("store_url", "postgresql://ada:pw@db/naysayer")
    (False, True)
    """
    return field in SECRETS or (field == "store_url" and without_password(str(value)) != str(value))


def nearest(name: str, fields: Collection[str]) -> str:
    """The end of a sentence: which setting was probably meant."""
    found = difflib.get_close_matches(name.lower().removeprefix("naysayer_"), list(fields), n=1)
    return f"; did you mean NAYSAYER_{found[0].upper()}?" if found else ""
