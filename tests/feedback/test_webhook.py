"""The webhook, against a real server on this machine."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlmodel import select

from feedback.versions import promote, roll_back
from feedback.webhook import MAX_TRIES, announce, keep_announcing, signature
from store.engine import reading, writing
from store.secrets import sign
from store.settings import Settings
from store.tables import AliasEvent, Delivery, Run, RunStatus, utc_now
from tests.waiting import PATIENCE_S

SECRET = "0123456789abcdef0123456789abcdef"


class Listener:
    """What was sent, and the status it is answered with."""

    def __init__(self) -> None:
        self.status, self.heard = 200, list[tuple[dict[str, Any], bytes, str]]()


@pytest.fixture
def listening() -> Iterator[tuple[str, Listener]]:
    listener = Listener()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            listener.heard.append((json.loads(body), body, self.headers["x-naysayer-signature"]))
            self.send_response(listener.status)
            self.send_header("location", "http://127.0.0.1:1/elsewhere")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/hook", listener
    server.shutdown()
    thread.join()
    server.server_close()


def hooked(settings: Settings, url: str) -> Settings:
    return settings.model_copy(update={"webhook_url": url, "webhook_secret": SECRET})


def test_each_event_and_failure_is_told_once_and_signed(
    engine: Engine, settings: Settings, publish_version: Callable, listening: tuple[str, Listener]
) -> None:
    url, listener = listening
    publish_version(engine, 1)
    promote(engine, 1, "better")
    roll_back(engine, "a test")
    with writing(engine) as session:
        session.add(Run(status=RunStatus.failed, message="the loss became nan"))
    assert announce(engine, hooked(settings, url)) == 4
    assert announce(engine, hooked(settings, url)) == 0
    told = [(body["what"], body["version"], body["reason"]) for body, _, _ in listener.heard]
    assert told == [
        ("published", 1, "made by a test"),
        ("promoted", 1, "better"),
        ("rolled back", 0, "a test"),
        ("failed", None, "the loss became nan"),
    ]
    assert all(signed == signature(body, SECRET) for _, body, signed in listener.heard)
    assert signature(b"another", SECRET) != listener.heard[0][2]


@pytest.mark.parametrize("status", [500, 302])
def test_one_that_does_not_listen_is_tried_again_later_and_not_for_ever(
    status: int, engine: Engine, settings: Settings, publish_version: Callable, listening: tuple[str, Listener]
) -> None:
    url, listener = listening
    listener.status = status
    publish_version(engine, 1)
    assert announce(engine, hooked(settings, url)) == 0
    assert announce(engine, hooked(settings, url)) == 0
    assert len(listener.heard) == 1, "it was tried again at once"
    with writing(engine) as session:
        row = session.get_one(Delivery, "event 2")
        assert (row.tries, row.is_delivered) == (1, False)
        row.tries = MAX_TRIES
        session.add(row)
    assert announce(engine, hooked(settings, url)) == 0
    assert len(listener.heard) == 1


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "file:///etc/passwd", "nonsense"])
def test_an_address_that_cannot_be_reached_breaks_nothing(
    url: str, engine: Engine, settings: Settings, publish_version: Callable
) -> None:
    publish_version(engine, 1)
    assert announce(engine, hooked(settings, url)) == 0
    promote(engine, 1)


def test_nobody_is_told_without_an_address(engine: Engine, settings: Settings, publish_version: Callable) -> None:
    publish_version(engine, 1)
    assert announce(engine, settings) == 0


def test_a_message_says_what_happened_when_and_to_which_version(
    engine: Engine, settings: Settings, publish_version: Callable
) -> None:
    sent: list[tuple[str, dict[str, Any], dict[str, str]]] = []
    publish_version(engine, 1)
    promote(engine, 1, "better")
    with writing(engine) as session:
        session.add(Run(status=RunStatus.failed, message="the loss became nan"))
        session.add(Run(status=RunStatus.done, message="fine"))
        at = {event.id: f"{event.created_at:%Y-%m-%dT%H:%M:%SZ}" for event in session.exec(select(AliasEvent))}
    found = hooked(settings, "http://hook.example/x")
    assert announce(engine, found, lambda url, body, headers: sent.append((url, json.loads(body), headers))) == 3
    url, promoted, headers = sent[1]
    assert url == "http://hook.example/x"
    assert headers["content-type"] == "application/json"
    assert promoted == {
        "what": "promoted",
        "version": 1,
        "from_version": 0,
        "reason": "better",
        "at": at[3],
        "key": "event 3",
    }
    failed = sent[2][1]
    assert (failed["key"], failed["what"], failed["from_version"]) == ("run 1", "failed", None)
    assert failed["at"].endswith("Z")


def test_what_is_an_hour_old_is_told_no_more(engine: Engine, settings: Settings, publish_version: Callable) -> None:
    sent: list[bytes] = []
    publish_version(engine, 1)
    with writing(engine) as session:
        session.add(Run(status=RunStatus.failed, message="old", updated_at=utc_now() - timedelta(minutes=61)))
        session.add(Run(status=RunStatus.failed, message="new", updated_at=utc_now() - timedelta(minutes=59)))
        for event in session.exec(select(AliasEvent)):
            event.created_at -= timedelta(minutes=61)
    assert announce(engine, hooked(settings, "http://x"), lambda _url, body, _headers: sent.append(body)) == 1
    assert json.loads(sent[0])["reason"] == "new"


def test_a_failed_try_is_noted_and_repeated_after_twice_the_time(
    engine: Engine, settings: Settings, publish_version: Callable
) -> None:
    def refuse(*_: object) -> None:
        raise OSError("no route " + "x" * 400)

    def try_again_after(seconds: float) -> tuple[int, int]:
        with writing(engine) as session:
            session.get_one(Delivery, "event 2").updated_at = utc_now() - timedelta(seconds=seconds)
        done = announce(engine, found, refuse)
        with reading(engine) as session:
            return done, session.get_one(Delivery, "event 2").tries

    publish_version(engine, 1)
    found = hooked(settings, "http://x")
    assert announce(engine, found, refuse) == 0
    with reading(engine) as session:
        row = session.get_one(Delivery, "event 2")
    assert (row.tries, row.is_delivered, row.message) == (1, False, ("no route " + "x" * 400)[:300])
    assert [try_again_after(seconds) for seconds in (9, 11, 19, 21)] == [(0, 1), (0, 2), (0, 2), (0, 3)]
    with writing(engine) as session:
        session.get_one(Delivery, "event 2").updated_at = utc_now() - timedelta(days=1)
    assert announce(engine, found, lambda *_: None) == 1
    with reading(engine) as session:
        row = session.get_one(Delivery, "event 2")
    assert (row.tries, row.is_delivered, row.message) == (4, True, "")


def test_without_a_secret_nothing_is_signed() -> None:
    assert signature(b"body", "") == ""
    assert signature(b"body", SECRET) == f"sha256={sign(b'body', SECRET)}"


def test_announcing_goes_on_until_it_is_stopped(
    engine: Engine, settings: Settings, publish_version: Callable, listening: tuple[str, Listener]
) -> None:
    url, listener = listening
    publish_version(engine, 1)
    keep_announcing(engine, settings, threading.Event())  # without an address it ends at once
    stop = threading.Event()
    thread = threading.Thread(target=keep_announcing, args=(engine, hooked(settings, url), stop))
    thread.start()
    until = time.monotonic() + PATIENCE_S
    while not listener.heard and time.monotonic() < until:
        time.sleep(0.05)
    stop.set()
    thread.join(PATIENCE_S)
    assert not thread.is_alive()
    assert [body["what"] for body, _, _ in listener.heard] == ["published"]
