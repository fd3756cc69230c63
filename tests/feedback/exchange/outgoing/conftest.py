"""A server on this machine that answers as the Hub does."""

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest


class Hub(HTTPServer):
    """Takes one dataset; every file travels inside the commit, as small ones do."""

    made: dict
    files: dict[str, bytes]
    refuses = 0


class Answer(BaseHTTPRequestHandler):
    server: Hub

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        if self.server.refuses:
            self.answer({"error": "no such right"}, self.server.refuses)
        elif self.path == "/api/repos/create":
            self.server.made = json.loads(body)
            self.answer({"url": f"{address(self.server)}/datasets/ann/rated"})
        elif self.path.endswith("/preupload/main"):
            paths = [file["path"] for file in json.loads(body)["files"]]
            self.answer({"files": [{"path": path, "uploadMode": "regular", "shouldIgnore": False} for path in paths]})
        elif self.path.endswith("/commit/main"):
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "file":
                    self.server.files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
            url = f"{address(self.server)}/datasets/ann/rated/commit/1"
            self.answer({"success": True, "commitOid": "1", "commitUrl": url, "pullRequestUrl": None})
        else:
            self.answer({"errors": [], "warnings": []})

    def answer(self, value: dict, status: int = 200) -> None:
        content = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


def address(hub: HTTPServer) -> str:
    return f"http://127.0.0.1:{hub.server_port}"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    server = Hub(("127.0.0.1", 0), Answer)
    server.made, server.files = {}, {}
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("HF_TOKEN", "hf_token_of_a_test")
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", address(server))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
    yield server
    server.shutdown()
    server.server_close()
