"""A rater without a browser: asks for pictures and votes through the routes of the rating page, as the page does."""

import json
import time
from collections.abc import Callable
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from ui.rate.page_data import LIMITS

JSON = {"content-type": "application/json"}


class HttpRater:
    """One connection of one rater. A class, because the queue and the connection outlive a vote."""

    def __init__(self, url: str, name: str) -> None:
        self.name, self.queue = name, list[dict[str, Any]]()
        self.connection = HTTPConnection(urlsplit(url).netloc, timeout=30)

    def refill(self) -> None:
        """Asks for the next pictures; those it already has come first again."""
        self.queue = self._post("/naysayer/next", {"rater": self.name, "count": LIMITS.queue})["images"]

    def vote(self, count: int = 1) -> set[str]:
        """Votes on the next pictures in one request and waits for its receipts: the ids of the votes."""
        images, self.queue = self.queue[:count], self.queue[count:]
        presses = [
            {"request_id": uuid4().hex, "image_id": image["id"], "verdict": "keep" if image["id"] % 3 else "reject"}
            for image in images
        ]
        receipts = self._post("/naysayer/votes", {"rater": self.name, "votes": presses})["receipts"]
        assert receipts == [{"request_id": press["request_id"], "refused": ""} for press in presses], receipts
        return {str(press["request_id"]) for press in presses}

    def look(self) -> None:
        """Fetches the last picture of the queue, as the page does with each that is new to it."""
        if self.queue:
            self.connection.request("GET", self.queue[-1]["url"])
            answer = self.connection.getresponse()
            body = answer.read()
            assert answer.status == 200 and body, answer.status

    def rate(self, pace_s: Callable[[], float], is_over: Callable[[], bool]) -> None:
        """Votes, asks and fetches, with pauses, until it is over."""
        while not is_over():
            if len(self.queue) < LIMITS.queue:
                self.refill()
                self.look()
            self.vote()
            self.connection.close()  # the server would, in a long pause; the next request opens it again
            time.sleep(pace_s())

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        self.connection.request("POST", path, json.dumps(body), JSON)
        answer = self.connection.getresponse()
        text = answer.read()
        assert answer.status == 200, text
        return json.loads(text)
