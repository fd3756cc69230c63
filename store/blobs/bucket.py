"""Objects by name in a bucket (S3, GCS, Azure) or in a folder that several machines mount, through obstore.

Keys, regions and other endpoints come from the environment, under the names that each provider's own tools use.
"""

import hashlib
import logging
import os
import random
import re
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from store.blobs.faults import CONFLICT, MARK, NO_ANSWER, Forked, NotMounted, why_not
from store.blobs.patience import Patience, current
from store.errors import NoBucket

log = logging.getLogger(__name__)

# obstore is imported only where a bucket is used.

CONNECT_S, ANSWER_S, SMALL_S, LARGE_S = 2, 4, 30, 900
"""Longest times for a connection, and for a request: of a page, of a picture, of a file of weights."""
AGAIN_S = 3.0
"""So long after a failure pages do not ask again, so that none of their requests waits behind many others."""
WAIT_S, LONGEST_WAIT_S = 0.5, 15.0
PART = 16 * 2**20
FRESH = timedelta(hours=12)
"""An older object is written again by a put, because a sweep might take it before its row is there."""
CONFLICTS = 4
"""How often even a page asks again while others write the same object; obstore does not."""
HTTP_ALLOWED = ("AWS_ALLOW_HTTP", "GOOGLE_ALLOW_HTTP", "AZURE_ALLOW_HTTP")


class Found(NamedTuple):
    """An object: its name, its size in bytes, when it was written, and the bucket's tag where it may be an MD5."""

    name: str
    size: int
    written: datetime
    tag: str


class Bucket:
    """The objects below a URL. Every method raises NoBucket when it does not answer; `patient` makes it wait."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.folder = Path(unquote(urlsplit(url).path)) if url.startswith("file:") else None
        self._failed_at, self._failure = -AGAIN_S, ""
        self._has_answered = False
        self._is_told, self._telling = False, threading.Lock()

    def read(self, name: str, *, is_large: bool = False) -> bytes:
        """The bytes of an object. Raises FileNotFoundError when there is none."""
        import obstore

        return self._ask(lambda store: bytes(obstore.get(store, name).bytes()), is_large)

    def find(self, name: str) -> Found | None:
        """What is known of an object; None when there is none."""
        import obstore

        try:
            return self._ask(lambda store: _found(obstore.head(store, name)))
        except FileNotFoundError:
            return None

    def create(self, name: str, data: bytes) -> bool:
        """Writes an object that is not there yet; False, and nothing is written, when it is."""
        import obstore
        from obstore.exceptions import AlreadyExistsError

        def put(store: Any) -> bool:
            self._refuse_unmounted(name)
            obstore.put(store, name, data, mode="create", use_multipart=False)
            return True

        try:
            is_new = self._ask(put, len(data) > PART)
        except AlreadyExistsError:
            return False
        self._flush(name)
        return is_new

    def write(self, name: str, data: bytes) -> None:
        """Writes an object, also over another."""
        import obstore

        def put(store: Any) -> None:
            self._refuse_unmounted(name)
            obstore.put(store, name, data, chunk_size=PART)

        self._ask(put, len(data) > PART)
        self._flush(name)

    def put(self, name: str, data: bytes) -> None:
        """Writes an object whose name says what it holds: once, and looked at before the return.

        What another put meanwhile, or an answer that got lost, is as good; other bytes under the name are replaced.
        """
        is_ours = self.create(name, data)
        found = self.find(name)
        if found and self._holds(found, data, is_ours) and datetime.now(UTC) - found.written < FRESH:
            return
        self.write(name, data)
        found = self.find(name)
        if not found or not self._holds(found, data, is_ours=True):
            raise self._away(f"did not keep {name} as it was written")

    def _holds(self, found: Found, data: bytes, is_ours: bool) -> bool:
        """Whether an object holds these bytes; of our own, without an MD5, the length is enough.

        A tag of an encrypted object looks like an MD5 and is none, so another one does not prove a difference.
        """
        if found.size != len(data):
            return False
        if found.tag == hashlib.md5(data, usedforsecurity=False).hexdigest() or (is_ours and not found.tag):
            return True
        return self.read(found.name, is_large=len(data) > PART) == data

    def objects(self, folder: str) -> list[Found]:
        """The objects in a folder and below it; a thousand come with each request."""
        import obstore

        return self._ask(lambda store: [_found(one) for rows in obstore.list(store, folder) for one in rows], True)

    def folders(self, folder: str) -> list[str]:
        """The folders directly in a folder, by their whole names."""
        import obstore

        return self._ask(lambda store: [*obstore.list_with_delimiter(store, folder)["common_prefixes"]], True)

    def remove(self, names: Iterable[str]) -> None:
        """Deletes objects; one that is not there is no error."""
        import obstore

        for name in names:
            with suppress(FileNotFoundError):
                self._ask(partial(obstore.delete, paths=name))

    def _ask(self, work: Callable[[Any], Any], is_large: bool = False) -> Any:
        """What `work` gives for the opened store; asked again while this process is patient."""
        patience, tries = current(), 0
        if patience is None and time.monotonic() < self._failed_at + AGAIN_S:
            raise self._away(self._failure)
        timeout_s = LARGE_S if is_large else ANSWER_S if patience is None else SMALL_S
        while True:
            try:
                result = work(_open(self.url, timeout_s))
            except Exception as error:
                if not (why := why_not(error)):
                    self._has_answered = True
                    raise
                self._failed_at, self._failure = time.monotonic(), why
                away = self._away(why)
                if CONFLICT in str(error) and tries < CONFLICTS:
                    time.sleep(0.1 * 2**tries * random.uniform(0.5, 1))
                elif patience is None or not self._may_pass(why) or not self._wait(patience, away, tries):
                    raise away from error
                tries += 1
            else:
                self._failed_at, self._has_answered = -AGAIN_S, True
                self._tell_back()
                return result

    def _may_pass(self, why: str) -> bool:
        """Whether waiting can help: a bucket that has never answered this process may be the wrong one."""
        return self._has_answered or why.startswith(NO_ANSWER)

    def _away(self, why: str) -> NoBucket:
        return NoBucket(f"the bucket {self.url} {why}")

    def _wait(self, patience: Patience, away: NoBucket, tries: int) -> bool:
        """Waits, longer each time; False once the process is asked to stop."""
        with self._telling:
            if not self._is_told:
                log.warning("%s; this process keeps what it has and asks again until it does", away)
            self._is_told = True
        patience.meanwhile()
        longest = min(LONGEST_WAIT_S, WAIT_S * 2**tries)
        return not patience.stop.wait(longest * random.uniform(0.5, 1))

    def _tell_back(self) -> None:
        if self._is_told:
            with self._telling:
                if self._is_told:
                    log.info("%s answers again", self.url)
                self._is_told = False

    def _refuse_unmounted(self, name: str) -> None:
        """Raises where the folder of a `file:` URL has lost its mark, as when nothing is mounted there any more."""
        if self.folder is not None and name != MARK and not (self.folder / MARK).is_file():
            raise NotMounted(self.folder)

    def _flush(self, name: str) -> None:
        """Makes a file of a `file:` URL durable; a bucket is durable when it answers."""
        if self.folder is None:
            return
        path = self.folder / name
        for one in (path, *path.parents[: len(Path(name).parts)]):
            descriptor = os.open(one, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


@cache
def bucket_at(url: str) -> Bucket:
    """The bucket at a URL, one for this process."""
    return Bucket(url)


_first_user: list[int] = []
"""The process that first used obstore."""


def _open(url: str, timeout_s: float) -> Any:
    if not _first_user:
        _first_user.append(os.getpid())
    if _first_user[0] != os.getpid():
        raise Forked
    return _opened(url, timeout_s)


@cache
def _opened(url: str, timeout_s: float) -> Any:
    from obstore.store import LocalStore, from_url

    if url.startswith("file:"):
        return LocalStore(unquote(urlsplit(url).path), mkdir=True)
    return from_url(
        url,
        client_options={
            "timeout": timedelta(seconds=timeout_s),
            "connect_timeout": timedelta(seconds=CONNECT_S),
            "allow_http": any(os.environ.get(name, "").lower() in ("1", "true") for name in HTTP_ALLOWED),
        },
        retry_config={
            "max_retries": 2,
            "retry_timeout": timedelta(seconds=ANSWER_S),
            "backoff": {
                "init_backoff": timedelta(milliseconds=100),
                "max_backoff": timedelta(seconds=1),
                "base": 2,
            },
        },
    )


def _found(meta: Any) -> Found:
    tag = (meta["e_tag"] or "").strip('"')
    return Found(meta["path"], meta["size"], meta["last_modified"], tag if re.fullmatch(r"[0-9a-f]{32}", tag) else "")
