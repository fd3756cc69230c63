"""What this server has given out, it knows again: signatures under its secret."""

import hashlib
import hmac
from functools import cache
from pathlib import Path

from store.files import kept_secret
from store.layout import layout_of
from store.settings import Settings

SIGNATURE_DIGITS = 32


def signature(settings: Settings, words: str) -> str:
    """32 hex digits that nobody can make without the secret of the settings, or the store's own where that is empty."""
    secret = settings.secret or _kept(layout_of(settings).page_key.absolute())
    return hmac.new(secret.encode(), f"naysayer {words}".encode(), hashlib.sha256).hexdigest()[:SIGNATURE_DIGITS]


def is_signed(settings: Settings, words: str, claimed: str) -> bool:
    """Did this server sign these words so?"""
    return hmac.compare_digest(claimed.encode(), signature(settings, words).encode())


@cache
def _kept(path: Path) -> str:
    return kept_secret(path)
