"""What a single value must be, wherever it comes from. Each raises ValueError, never with the value of a secret."""

import re
import unicodedata
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from importlib.util import find_spec
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any, get_args
from urllib.parse import urlsplit

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from store.files import expand_home

ADDRESS_ON_HUB = re.compile(
    r"(?:(?:https?://|git@)?(?:www\.)?(?:huggingface\.co|hf\.co)[/:]|hf://)(?:models/)?([\w.-]+/[\w.-]+?)(?:\.git)?"
    r"(?:/(?:tree|resolve|blob)/([^/?#]+)(/[^?#]+)?)?/?(?:[?#].*)?"
)
ID_AND_REVISION = re.compile(r"([\w.-]+/[\w.-]+)[@:]([\w./-]+)")
HOST = re.compile(r"[a-z0-9_]([\w-]*\w)?(\.\w([\w-]*\w)?)*\.?")
BUCKETS = ("s3", "gs", "az", "file")
BASE_PATH = re.compile(r"(/[A-Za-z0-9_-]+)+")
POSTGRES = ("postgresql", "postgresql+psycopg")
ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}
"""Every interface of the machine, and where a browser on it then finds the pages."""


def kinds_of(annotation: Any) -> tuple[Any, ...]:
    """The types that a field takes.

    >>> kinds_of(int | None)
    (<class 'int'>, <class 'NoneType'>)
    """
    return get_args(annotation) or (annotation,)


def unless_empty(check: Callable[[str], str]) -> Callable[[str], str]:
    """The check, for values that are given."""
    return wraps(check)(lambda value: value and check(value))


def clean_text(text: str) -> str:
    """The text without space around it. Raises ValueError where it holds what no setting can.

    >>> clean_text(" 7\\r")
    '7'
    """
    text = text.strip()
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in text):
        raise ValueError("it holds a control character or is not UTF-8 text; write it again")
    return text


def one_line(prompt: Any) -> Any:
    """A prompt without line breaks; text encoders read them as spaces."""
    return " ".join(prompt.split()) if isinstance(prompt, str) else prompt


def clean_path(path: str) -> str:
    """A file, a folder or a hub id, with the home folder for `~` and no `/` at its end."""
    path = expand_home(path)
    return path.rstrip("/") or path[:1]


@unless_empty
def refuse_web_address(name: str) -> str:
    """The name of a model. Raises ValueError with the right form when it is a web address or `id@revision`.

    >>> refuse_web_address("stabilityai/sdxl-vae")
    'stabilityai/sdxl-vae'
    """
    if found := ADDRESS_ON_HUB.fullmatch(name):
        hub_id, revision, file = found.groups()
        if file:
            raise ValueError(
                f"it is the web address of one file; write the hub id {hub_id}, or download the file and write its path"
            )
        raise ValueError(f"it is a web address; write the hub id {hub_id}{_and_revision(revision)}")
    if "://" in name:
        raise ValueError("it is a web address; download the file and write its path, or write a hub id like owner/name")
    if (found := ID_AND_REVISION.fullmatch(name)) and not Path(name).exists():
        raise ValueError(f"a revision is not part of the name; write {found[1]}{_and_revision(found[2])}")
    return name


def _and_revision(revision: str | None) -> str:
    return f" (NAYSAYER_MODEL_REVISION={revision} takes that revision of the model)" if revision else ""


@unless_empty
def check_store_url(url: str) -> str:
    """The URL of a database that a store can be in, with `~` expanded. Says nothing of what the URL holds."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise ValueError(
            "it is no database URL; write postgresql+psycopg://user:password@host/name or sqlite:////folder/file.db"
        ) from error
    if parsed.drivername in POSTGRES:
        if find_spec("psycopg") is None:
            raise ValueError('PostgreSQL needs the package psycopg; pip install "naysayer[postgres]"')
        return parsed.set(drivername=POSTGRES[-1]).render_as_string(hide_password=False)
    if parsed.drivername not in ("sqlite", "sqlite+pysqlite"):
        raise ValueError(f"{parsed.drivername} is no kind of database for a store; use postgresql+psycopg or sqlite")
    if not parsed.database or parsed.database == ":memory:":
        raise ValueError("a store in memory is seen by one process only; name a file: sqlite:////folder/file.db")
    return parsed.set(database=expand_home(parsed.database)).render_as_string(hide_password=False)


@unless_empty
def check_bucket_url(url: str) -> str:
    """The URL of a bucket, or of a place in one, without `/` at its end.

    >>> check_bucket_url("S3://pictures/naysayer/")
    's3://pictures/naysayer'
    """
    scheme, _, rest = url.partition("://")
    scheme, parts = scheme.lower(), urlsplit(url)
    if scheme not in BUCKETS:
        raise ValueError(
            "it is no bucket's URL; write s3://, gs:// or az:// and the bucket's name, or file:// and a folder"
        )
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError("keys do not belong into the URL; put them into the environment, e.g. AWS_ACCESS_KEY_ID")
    if scheme == "file" and (parts.netloc or not parts.path.strip("/")):
        raise ValueError("a folder's URL has three slashes and a path; write file:///folder")
    if scheme != "file" and not parts.netloc:
        raise ValueError(f"it names no bucket; write {scheme}://bucket or {scheme}://bucket/folder")
    if any(part in (".", "..") for part in parts.path.split("/")):
        raise ValueError("it holds . or .. between slashes; write the path out")
    return f"{scheme}://{rest.rstrip('/')}"


@unless_empty
def check_web_address(url: str) -> str:
    """An address that begins with http:// or https:// and names a host."""
    if _host_of(url) is None:
        raise ValueError("it is no web address; write https:// and the host, e.g. https://example.org/path")
    return url


@unless_empty
def check_public_url(url: str) -> str:
    """The address that people open, as browsers write it: nothing after the host and a port that is not the usual one.

    >>> check_public_url("HTTPS://Rate.Example.org:443/")
    'https://rate.example.org'
    """
    host = _host_of(url)
    if host is None:
        raise ValueError("it is no web address; write https:// and the host, e.g. https://rate.example.org")
    parts = urlsplit(url)
    if parts.path.strip("/") or "?" in url or "#" in url:
        raise ValueError(
            "it has more than a host; write a path into NAYSAYER_BASE_PATH and leave only the host here, "
            "e.g. https://rate.example.org"
        )
    if "@" in parts.netloc:
        raise ValueError("it holds a user name; write only https:// and the host, e.g. https://rate.example.org")
    if host in ("0.0.0.0", "::"):
        raise ValueError(f"nobody can open {host}; write the name or address of this machine, as others see it")
    is_usual = parts.port in (None, 443 if parts.scheme == "https" else 80)
    return f"{parts.scheme}://{in_address(host)}{'' if is_usual else f':{parts.port}'}"


@unless_empty
def check_base_path(path: str) -> str:
    """A path that begins with `/` and does not end with it, of characters that no address writes in another way."""
    if not BASE_PATH.fullmatch(path):
        raise ValueError(
            "it takes / and a name of letters, digits, - and _, more than once where it must be, without / at the end, "
            "e.g. /rate"
        )
    return path


@unless_empty
def check_networks(names: str) -> str:
    """Addresses and networks, separated by commas.

    >>> check_networks("127.0.0.1, 10.1.2.3/8")
    '127.0.0.1,10.0.0.0/8'
    """
    try:
        found = [ip_network(name.strip(), strict=False) for name in names.split(",")]
    except ValueError as error:
        raise ValueError(
            "it takes addresses and networks separated by commas, e.g. 127.0.0.1,10.0.0.0/8; host names and * are not "
            "enough to know a proxy by"
        ) from error
    return ",".join(str(one.network_address) if one.num_addresses == 1 else str(one) for one in found)


def check_host(host: str) -> str:
    """The address of a network interface: `localhost`, or IPv4 or IPv6 in figures."""
    host = host_name(host)
    try:
        return host if host == "localhost" else str(ip_address(host))
    except ValueError as error:
        raise ValueError("it should be localhost or an address such as 127.0.0.1, without port or https://") from error


@unless_empty
def check_host_names(names: str) -> str:
    """Host names, separated by commas."""
    for name in filter(None, map(str.strip, names.split(","))):
        if not _is_host(host_name(name)):
            raise ValueError("it takes host names only, without https://, port, path or *, separated by commas")
    return names


def host_name(name: str) -> str:
    """A host name as browsers send it, an IPv6 address without its brackets.

    >>> host_name("Bücher.example"), host_name("[2001:DB8:0::1]")
    ('xn--bcher-kva.example', '2001:db8::1')
    """
    name = name.lower().removesuffix(".")
    with suppress(ValueError):
        return str(ip_address(name.removeprefix("[").removesuffix("]")))
    try:
        return name.encode("idna").decode()
    except UnicodeError:
        return name


def in_address(host: str) -> str:
    """The host as it stands in a web address.

    >>> in_address("::1")
    '[::1]'
    """
    return f"[{host}]" if ":" in host else host


def _is_host(host: str) -> bool:
    """Whether a host, as `host_name` gives it, can be one."""
    if ":" not in host:
        return bool(HOST.fullmatch(host))
    try:
        return bool(ip_address(host))
    except ValueError:
        return False


def _host_of(url: str) -> str | None:
    """The host of a web address; None when there is none, or its port is no port."""
    try:
        parts = urlsplit(url)
        is_sound = parts.scheme in ("http", "https") and parts.port != 0 and not re.search(r"[\s\\]", url)
    except ValueError:
        return None
    host = host_name(parts.hostname or "")
    return host if is_sound and _is_host(host) else None


def without_password(url: str) -> str:
    """A database's URL for people.

    >>> without_password("postgresql+psycopg://ada:hunter2@db/naysayer?sslpassword=hunter2")
    'postgresql+psycopg://ada:***@db/naysayer?sslpassword=***'
    """
    url = re.sub(r"(://[^/@:]*):[^/]*@", r"\1:***@", url)
    return re.sub(r"([?&]\w*pass\w*)=[^&]*", r"\1=***", url)


def only_host(url: str) -> str:
    """A web address for people: paths and queries often hold a key.

    >>> only_host("https://hooks.example.org/services/T0/B0/hunter2")
    'https://hooks.example.org/…'
    """
    parts = urlsplit(url)
    rest = "/…" if parts.path.strip("/") or parts.query else ""
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{rest}"
