"""The webhook: tells another machine, signed, what happened to the versions. A failure there never matters here.

Messages are sent after the commit. The body is `{"what", "version", "from_version", "reason", "at", "key"}`, the header
`X-Naysayer-Signature: sha256=<HMAC-SHA256 of the body under NAYSAYER_WEBHOOK_SECRET, hexadecimal>`.
"""

import json
import logging
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.error import URLError
from urllib.request import HTTPRedirectHandler, Request, build_opener

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import col, select

from store.engine import reading, writing
from store.secrets import sign
from store.settings import Settings
from store.tables import Action, AliasEvent, Delivery, Run, RunStatus, utc_now

log = logging.getLogger("naysayer.webhook")

WHAT = {Action.publish: "published", Action.promote: "promoted", Action.roll_back: "rolled back"}
MAX_TRIES = 5
TIMEOUT_S = 5
LOOK_S = 2.0
RECENT = timedelta(hours=1)
OF_THIS_STORE = col(AliasEvent.id) > 0
"""Not brought by a merge: such events have numbers below, and their own store told of them."""

Message = dict[str, Any]


def announce(
    engine: Engine, settings: Settings, send: Callable[[str, bytes, dict[str, str]], None] | None = None
) -> int:
    """How many messages were delivered now. Each is tried five times, by one process at a time."""
    if not settings.webhook_url:
        return 0
    delivered = 0
    for message in _due(engine):
        if not _claim(engine, message["key"]):
            continue
        body = json.dumps(message, sort_keys=True).encode()
        headers = {"content-type": "application/json", "x-naysayer-signature": signature(body, settings.webhook_secret)}
        try:
            (send or _post)(settings.webhook_url, body, headers)
        except (OSError, URLError, ValueError) as error:
            log.warning("the webhook did not accept %s (%s)", message["key"], error)
            _note(engine, message["key"], str(error)[:300])
        else:
            _note(engine, message["key"], "")
            delivered += 1
    return delivered


def keep_announcing(engine: Engine, settings: Settings, stop: threading.Event) -> None:
    """Announces until `stop` is set; logs a failure and goes on."""
    if not settings.webhook_url:
        return
    while not stop.wait(LOOK_S):
        try:
            announce(engine, settings)
        except SQLAlchemyError as error:
            log.warning("the webhook could not read the store (%s)", error)


def signature(body: bytes, secret: str) -> str:
    """The value of the signature header; empty without a secret."""
    return f"sha256={sign(body, secret)}" if secret else ""


def _due(engine: Engine) -> list[Message]:
    since = utc_now() - RECENT
    with reading(engine) as session:
        happened = session.exec(
            select(AliasEvent)
            .where(OF_THIS_STORE, col(AliasEvent.action).in_(list(WHAT)), col(AliasEvent.created_at) >= since)
            .order_by(col(AliasEvent.id))
        )
        messages = [
            {
                "key": f"event {event.id}",
                "what": WHAT[event.action],
                "version": event.to_version,
                "from_version": event.from_version,
                "reason": event.reason,
                "at": f"{event.created_at:%Y-%m-%dT%H:%M:%SZ}",
            }
            for event in happened
        ]
        failed = session.exec(select(Run).where(Run.status == RunStatus.failed, col(Run.updated_at) >= since))
        messages += [
            {
                "key": f"run {run.id}",
                "what": "failed",
                "version": None,
                "from_version": None,
                "reason": run.message,
                "at": f"{run.updated_at:%Y-%m-%dT%H:%M:%SZ}",
            }
            for run in failed
        ]
        over = {
            row.key
            for row in session.exec(select(Delivery).where(col(Delivery.is_delivered) | (Delivery.tries >= MAX_TRIES)))
        }
    return [message for message in messages if message["key"] not in over]


def _claim(engine: Engine, key: str) -> bool:
    """True when this process may try now, because no other tried shortly before."""
    with writing(engine) as session:
        row = session.get(Delivery, key) or Delivery(key=key)
        patience = timedelta(seconds=TIMEOUT_S * 2**row.tries)
        updated = row.updated_at.replace(tzinfo=utc_now().tzinfo)
        if row.is_delivered or row.tries >= MAX_TRIES or (row.tries and utc_now() - updated < patience):
            return False
        row.tries, row.updated_at = row.tries + 1, utc_now()
        session.add(row)
        return True


def _note(engine: Engine, key: str, message: str) -> None:
    with writing(engine) as session:
        row = session.get_one(Delivery, key)
        row.is_delivered, row.message = not message, message
        session.add(row)


class _NoRedirect(HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:  # a redirect would send the message to an address nobody set
        return None


def _post(url: str, body: bytes, headers: dict[str, str]) -> None:
    if not url.startswith(("http://", "https://")):
        raise ValueError(f"the webhook's address begins with http:// or https://, {url[:40]!r} does not")
    with build_opener(_NoRedirect).open(Request(url, body, headers, method="POST"), timeout=TIMEOUT_S):
        pass
