"""Secrets and signatures: one rule for a secret, one function that signs and one that checks."""

import fcntl
import hashlib
import hmac
import os
import secrets
from pathlib import Path

from store.files import make_folder

MIN_LENGTH = 32
DIGITS = 64
"""Hexadecimal digits of a whole signature."""


def find_fault(name: str, secret: str) -> str:
    """What is wrong with the secret in the setting `name`, in a sentence; empty when nothing is."""
    if len(secret) >= MIN_LENGTH:
        return ""
    return (
        f"{name} has {len(secret)} characters, {MIN_LENGTH} or more are needed; make one with: "
        "python -c 'import secrets; print(secrets.token_urlsafe(32))'"
    )


def sign(message: bytes, secret: str, digits: int = DIGITS) -> str:
    """The first `digits` hexadecimal digits of the HMAC-SHA256 of the message: nobody can make them without the secret.

    Source: RFC 2104.
    """
    return hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()[:digits]


def is_signed(message: bytes, secret: str, claimed: str, digits: int = DIGITS) -> bool:
    """True when `claimed` is what `sign` gives; takes as long for a wrong one."""
    return hmac.compare_digest(claimed.encode(), sign(message, secret, digits).encode())


def read_or_make_secret(path: Path) -> str:
    """The secret in the file `path`, 64 hexadecimal digits; made at the first call, and only its owner can read it.

    Of several processes that ask at once, one makes it and all get the same.
    """
    make_folder(path.parent)
    with open(path, "a+", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        secret = file.read()
        if len(secret) != 64:
            secret = secrets.token_hex(32)
            file.truncate(0)
            file.write(secret)
            file.flush()
            os.fsync(file.fileno())
    return secret
