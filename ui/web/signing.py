"""Signatures under this server's own secret: what it gave out, it recognises."""

from functools import cache
from pathlib import Path

from store import secrets
from store.layout import layout_of
from store.settings import Settings

SIGNATURE_DIGITS = 32


def signature(settings: Settings, words: str) -> str:
    """32 hexadecimal digits that nobody can make without the secret of the settings, or of the store without one."""
    return secrets.sign(_message(words), _secret(settings), SIGNATURE_DIGITS)


def is_signed(settings: Settings, words: str, claimed: str) -> bool:
    """True when this server gave `claimed` for these words."""
    return secrets.is_signed(_message(words), _secret(settings), claimed, SIGNATURE_DIGITS)


def _message(words: str) -> bytes:
    return f"naysayer {words}".encode()


def _secret(settings: Settings) -> str:
    return settings.secret or _read_once(layout_of(settings).page_key.absolute())


@cache
def _read_once(path: Path) -> str:
    return secrets.read_or_make_secret(path)
