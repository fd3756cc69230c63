"""The webhook, against a real server on this machine."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from sqlalchemy import Engine

from feedback.versions import promote, roll_back
from feedback.webhook import MAX_TRIES, announce, signature
from store.engine import writing
from store.settings import Settings
from store.tables import Delivery, Run, RunStatus

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
