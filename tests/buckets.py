"""An S3 server on this machine, and a door before it that fails as networks and servers do."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit
from uuid import uuid4

KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1"}

SIGNED = {
    "Authorization": "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request, "
    "SignedHeaders=host, Signature=0"
}
"""The server looks who asks, not whether the signature is right."""


@contextmanager
def serve_s3() -> Iterator[str]:
    """The address of a new S3 server, which the environment names inside the block."""
    import logging

    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    ours = KEYS | {"AWS_ENDPOINT_URL": address, "AWS_ALLOW_HTTP": "true"}
    before = {name: os.environ.get(name) for name in ours}
    os.environ |= ours
    try:
        yield address
    finally:
        for name, value in before.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})
        server.stop()


def make_bucket(address: str) -> str:
    """URL of a new bucket, below a folder in it."""
    name = f"naysayer-{uuid4().hex}"
    assert ask(address, "PUT", f"/{name}")[0] == 200
    return f"s3://{name}/store"


def ask(address: str, method: str, path: str, body: bytes = b"", headers: dict | None = None) -> tuple[int, bytes]:
    """Status and body of a request."""
    connection = HTTPConnection(urlsplit(address).netloc, timeout=60)
    try:
        connection.request(method, path, body, SIGNED | (headers or {}))
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


class Door(ThreadingHTTPServer):
    """Passes requests on to a server. `faults` come first, one a request: a status that is answered instead, `lost`
    (done, but the answer never comes), `silent` (never answered). While `is_shut` it answers 503; it shuts by itself at
    the request with the number `shuts_at`."""

    daemon_threads = True

    def __init__(self, address: str) -> None:
        super().__init__(("127.0.0.1", 0), _Passing)
        self.behind, self.faults, self.is_shut = address, [], False
        self.shuts_at = -1
        self.asked: list[str] = []
        self.ended = threading.Event()
        self.address = f"http://127.0.0.1:{self.server_port}"

    def next_fault(self) -> object:
        if len(self.asked) == self.shuts_at:
            self.is_shut = True
        if self.is_shut:
            return 503
        return self.faults.pop(0) if self.faults else None

    def handle_error(self, *_: object) -> None:
        """A client that gave up is what is tested."""


@contextmanager
def door_to(address: str) -> Iterator[Door]:
    """A door that the environment names inside the block."""
    door, before = Door(address), os.environ["AWS_ENDPOINT_URL"]
    thread = threading.Thread(target=door.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    os.environ["AWS_ENDPOINT_URL"] = door.address
    try:
        yield door
    finally:
        os.environ["AWS_ENDPOINT_URL"] = before
        door.ended.set()
        door.shutdown()
        door.server_close()


class _Passing(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _pass(self) -> None:
        door = self.server
        assert isinstance(door, Door)
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        door.asked.append(f"{self.command} {self.path}")
        fault = door.next_fault()
        if fault == "silent":
            door.ended.wait()
            return
        if isinstance(fault, int):
            self._answer(fault, b"<Error><Code>Fault</Code></Error>", {})
            return
        connection = HTTPConnection(urlsplit(door.behind).netloc, timeout=60)
        headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
        connection.request(self.command, self.path, body, headers)
        answer = connection.getresponse()
        data = answer.read()
        if fault == "lost":
            self.close_connection = True
            return
        kept = {n: v for n, v in answer.getheaders() if n.lower() not in ("connection", "transfer-encoding", "date")}
        self._answer(answer.status, data, kept)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _pass

    def _answer(self, status: int, data: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() != "content-length" or self.command == "HEAD":
                self.send_header(name, value)
        if self.command != "HEAD":
            self.send_header("content-length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Says nothing."""
