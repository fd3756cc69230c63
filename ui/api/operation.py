"""What an operation of the API is, from which both its route and its description are made."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from pydantic import BaseModel
from sqlalchemy import Engine
from starlette.responses import Response

from store.settings import Settings
from ui.signin.bearer import API
from ui.signin.people import Person

V1 = f"{API}v1"
"""Where this version of the API lies. What it takes and gives may grow, and nothing in it changes its meaning."""


class Asked(NamedTuple):
    """A request of somebody who may send it, with its checked parameters and body."""

    engine: Engine
    settings: Settings
    person: Person
    params: Any
    body: Any


class Refused(Exception):
    """The answer to a request is this status and this sentence."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


@dataclass(frozen=True)
class Operation:
    """A method of an address. `page` is the page that a role must include, `act` does the work in a thread.

    `params` are the parameters of path and query. `gives` is what comes back, or the kinds of file. `refused` is the
    status where everything was understood and the answer is still no. With `in_ticks` the time of the answer tells
    nothing. `upload` gives the kinds of a body that is a picture, as OpenAPI has them. `takes` are the kinds of file
    that the body may be; `Asked.body` is then where it lies.
    """

    method: str
    path: str
    page: str
    act: Callable[[Asked], BaseModel | Response]
    gives: type[BaseModel] | tuple[str, ...]
    body: type[BaseModel] | None = None
    takes: tuple[str, ...] = ()
    params: type[BaseModel] | None = None
    refused: int = 400
    in_ticks: bool = False
    upload: Callable[[], Mapping[str, Any]] | None = None

    @property
    def address(self) -> str:
        return V1 + self.path

    @property
    def name(self) -> str:
        return self.act.__name__

    @property
    def summary(self) -> str:
        """What it does: the first line of its docstring."""
        return (self.act.__doc__ or "").split("\n")[0]

    @property
    def statuses(self) -> Mapping[int, str]:
        """Every status of an error, with when it comes."""
        met = {
            401: "no token, an unknown one or a revoked one",
            403: "the role does not include this, or the rater is paused",
            429: "too many requests or votes; wait as `retry-after` says",
            500: "a fault of the server",
            503: "the store cannot be used now",
        }
        if self.body or self.params:
            met[400] = "malformed; it will not be accepted when sent again"
        if self.upload:
            met |= {409: "no version can judge", 413: "the picture is too long", 415: "the body is no kind of picture"}
        if self.body:
            met |= {413: "the body is too long", 415: "the body is not JSON"}
        if self.takes:
            met |= {413: "the file is too long", 415: "the body is no kind of picture"}
        if "{" in self.path or self.refused == 404:
            met[404] = "there is no such thing"
        if self.refused == 409:
            met[409] = "understood and refused, for the reason given"
        return dict(sorted(met.items()))
