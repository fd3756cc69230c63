"""One picture that a program asks about: read here, scored by the worker, and what its score means."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Self

from sqlalchemy import Engine

from feedback.check.version_check import VersionCheck
from feedback.exchange.pictures.bases import drawn_size, for_reader, known_models
from feedback.exchange.pictures.reading import Read, pixels_hash
from feedback.exchange.pictures.sources import Entry
from feedback.exchange.sorting.champion import judging_champion
from feedback.exchange.sorting.held_out import HeldOut
from feedback.exchange.sorting.judged import prompt_of
from feedback.metadata.found import Found, Status
from feedback.metadata.read import read_bytes
from feedback.sample.requests import ask
from feedback.versions import get_version
from store.engine import reading
from store.errors import BadRequest
from store.tables import Task, TaskKind

NAME = "picture"


class ScoreRequest(NamedTuple):
    """A file in a folder that the worker reads too, the prompt to score it under, and the version that does it."""

    folder: str
    prompt: str
    width: int
    height: int
    pixels_sha256: str
    version: int

    @classmethod
    def of(cls, task: Task) -> Self:
        return cls(**task.body)

    @property
    def read(self) -> Read:
        """The picture as the worker's scorer takes it."""
        found = Found(Status.ok, prompt=self.prompt, width=self.width, height=self.height)
        return Read(Entry(NAME, ""), found, self.pixels_sha256)


class Meaning(NamedTuple):
    """A score, what it is compared with, and what that means; no cut, and no chance: the check has none."""

    score: float
    version: int
    cut: float | None
    chance: float | None
    prompt: str
    words: str

    @property
    def is_over(self) -> bool:
        return self.cut is not None and self.score > self.cut


def ask_score(engine: Engine, folder: Path, prompt: str) -> tuple[int, ScoreRequest]:
    """The number of a new task for the file NAME in `folder`. An empty prompt: the one in its metadata.

    Raises BadRequest for no picture, one without a prompt, or one of another size than the store's.
    """
    version, _ = judging_champion(engine)
    data = (folder / NAME).read_bytes()
    found, picture = read_bytes(data, _name_for(data), (), for_reader(known_models(engine)))
    if picture is None:
        raise BadRequest(f"the body is no picture that can be read: {found.why}")
    if prompt:
        found = Found(Status.ok, prompt=prompt, width=found.width, height=found.height)
    text, why = prompt_of(found, drawn_size(engine))
    if why:
        raise BadRequest(f"the picture cannot be scored: {why}{'' if prompt else '; or send its prompt beside it'}")
    size = found.width, found.height
    request = ScoreRequest(str(folder), text, *size, pixels_hash(picture), version.number)
    return ask(engine, TaskKind.score, request._asdict()), request


def meaning_of(engine: Engine, request: ScoreRequest, answer: Mapping[str, Any]) -> Meaning:
    """What the worker's answer means."""
    version, score = get_version(engine, request.version), float(answer["score"])
    check = VersionCheck.of(version)
    cut, chance = (check.cut, check.chance(score)) if check else (None, None)
    with reading(engine) as session:
        held_out = HeldOut.of(session, version.number)
    return Meaning(score, version.number, cut, chance, request.prompt, _words(score, version.number, cut, held_out))


def _words(score: float, version: int, cut: float | None, held_out: HeldOut) -> str:
    if cut is None:
        return f"v{version} has no cut; {held_out.words(score)}, where it flags what scores above this picture"
    place = "above" if score > cut else "not above"
    return f"it scores {place} the cut of v{version}; {held_out.words(cut)}"


def _name_for(data: bytes) -> str:
    """A file name that fits the bytes, which the reader compares; the sender gave none that counts."""
    if data.startswith(b"\xff\xd8\xff"):
        return f"{NAME}.jpg"
    return f"{NAME}.webp" if data[:4] == b"RIFF" else f"{NAME}.png"
