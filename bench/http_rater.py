"""A rater without a browser: asks for pictures and votes through the routes of the rating page, as the page does."""

import json
import time
from collections.abc import Callable
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

HAND = 24
JSON = {"content-type": "application/json"}


class HttpRater:
    """One connection of one rater. A class, because hand and connection live on between votes."""

    def __init__(self, url: str, name: str) -> None:
        self.name, self.hand = name, list[dict[str, Any]]()
        self.connection = HTTPConnection(urlsplit(url).netloc, timeout=30)

    def refill(self) -> None:
        """Asks for the next pictures; those in hand come first again."""
        self.hand = self._post("/naysayer/next", {"rater": self.name, "count": HAND})["images"]

    def vote(self) -> str | None:
        """Votes on the next picture and waits for the receipt: the request's id, or None without a picture."""
        if not self.hand:
            return None
        image, request_id = self.hand.pop(0), uuid4().hex
        press = {"request_id": request_id, "image_id": image["id"], "verdict": "keep" if image["id"] % 3 else "reject"}
        answer = self._post("/naysayer/votes", {"rater": self.name, "votes": [press]})
        assert answer["receipts"] == [{"request_id": request_id, "refused": ""}], answer
        return request_id

    def look(self) -> None:
        """Fetches the last picture in hand, as the page does with each that is new to it."""
        if self.hand:
            self.connection.request("GET", self.hand[-1]["url"])
            answer = self.connection.getresponse()
            body = answer.read()
            assert answer.status == 200 and body, answer.status

    def rate(self, pace_s: Callable[[], float], is_over: Callable[[], bool]) -> None:
        """Votes, asks and fetches, with pauses, until it is over."""
        while not is_over():
            if len(self.hand) < HAND:
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
