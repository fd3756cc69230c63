"""Nothing that the rating page is told gives away what an image is: its version, its origin, a control, a repeat,
a picture whose vote by somebody else looks like a slip.

One rater rejects everything, looks at every answer, takes the vote back, looks again, and votes again. All that the
wire carried about each showing becomes features; a classifier learns them and must do no better than chance. Left out
is the picture itself: who compares pixels, or remembers them, knows a picture that comes twice.
"""

import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from uuid import uuid4

import numpy as np
import pytest
from sqlmodel import select
from starlette.applications import Starlette
from starlette.testclient import TestClient

from feedback.rate.controls import make_control
from feedback.rate.queue import REPEAT_AFTER, next_images
from feedback.rate.terms import Terms
from feedback.rate.votes import Press, record_votes
from store.engine import reading, writing
from store.migrate import open_store
from store.settings import Settings
from store.tables import Image, Origin, Repeat, SecondLook, Verdict, Vote
from tests.feedback.rating import image_of
from tests.ui.conftest import put_pictures
from ui.rate.pace import pace_of
from ui.rate.routes import routes

FORBIDDEN = re.compile(r"version|origin|control|repeat|sampled|evaluation|overlap|champion|weight|answer|agreed", re.I)
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
KINDS = ("control", "repeat", "look", "evaluation", "version 1")
LEAST = 25  # showings of each kind
LEADING = 4.0  # standard errors: chance goes beyond it once in 30,000 times


@dataclass
class Showing:
    """What one rater could know of one picture on screen, and what the picture was."""

    number: int
    row: int
    kinds: set[str]
    features: dict[str, float] = field(default_factory=dict)


class Rater:
    """A rater with a script in place of hands, who keeps everything the server says."""

    def __init__(self, client: TestClient, engine) -> None:
        self.client, self.engine = client, engine
        self.answers: list[dict] = []
        self.seen_numbers, self.seen_addresses = set[int](), set[str]()
        self.showings: list[Showing] = []

    def ask(self, count: int = 12) -> dict:
        answer = self.client.post("/naysayer/next", json={"rater": "ada", "count": count}).json()
        self.answers.append(answer)
        return answer

    def vote(self, number: int, verdict: str) -> tuple[dict, float]:
        press = {"request_id": str(uuid4()), "image_id": number, "verdict": verdict}
        pace_of.cache_clear()  # this rater is quicker than any person, and is to be answered all the same
        began = time.perf_counter()
        answer = self.client.post("/naysayer/votes", json={"rater": "ada", "votes": [press]}).json()
        took = time.perf_counter() - began
        assert answer["receipts"][0]["refused"] == ""
        self.answers.append(answer)
        return answer, took

    def rate(self) -> None:
        """Rejects everything there is, one hand after the other."""
        while (answer := self.ask())["images"]:
            places = {image["id"]: place for place, image in enumerate(self.ask()["images"])}
            for place, image in enumerate(answer["images"]):
                self.judge(image, place, places.get(image["id"], -1), answer)

    def judge(self, image: dict, place: int, place_again: int, answer: dict) -> None:
        began = time.perf_counter()
        picture = self.client.get(image["url"])
        fetched = time.perf_counter() - began
        number, recent = image["id"], [item["image"]["id"] for item in answer["recent"]]
        first, voting = self.vote(number, "reject")
        undone, undoing = self.vote(number, "undo")
        back = [one["id"] for one in self.ask(64)["images"]]
        again, _ = self.vote(number, "reject")
        after = [item["image"]["id"] for item in self.ask(1)["recent"]]
        row = image_of(self.engine, number)
        features = {
            "number": number,
            "number after another": number - (self.showings[-1].number if self.showings else number),
            "known number": number in self.seen_numbers,
            "known address": image["url"] in self.seen_addresses,
            "length of the address": len(image["url"]),
            "fields": len(image),
            "place": place,
            "moved": place_again - place,
            "in the history": number in recent,
            "place in the history": after.index(number) if number in after else -1,
            "length of the history": len(after),
            "place after undo": back.index(number) if number in back else -1,
            "pictures in hand": len(back),
            "width": image["width"],
            "height": image["height"],
            "length of the prompt": len(image["prompt"]),
            "bytes": len(picture.content),
            "headers": len(picture.headers),
            "sort": len(picture.headers["content-type"]),
            "chunks": picture.content.count(b"IDAT"),
            "cookies": len(picture.cookies) + len(self.client.cookies),
            "seconds to fetch": np.log(fetched),
            "seconds to vote": np.log(voting),
            "seconds to undo": np.log(undoing),
            "due after the vote": first["due"]["new_rejects"] - answer["due"]["new_rejects"],
            "due after undo": undone["due"]["new_rejects"] - first["due"]["new_rejects"],
            "due after another vote": again["due"]["new_rejects"] - undone["due"]["new_rejects"],
            "own count after the vote": first["progress"]["today"] - undone["progress"]["today"],
            "own count in all": again["progress"]["votes"] - undone["progress"]["votes"],
            "running": float(bool(first["run"])),
        }
        self.seen_numbers.add(number)
        self.seen_addresses.add(image["url"])
        self.showings.append(Showing(number, row.id or 0, kinds_of(self.engine, row, number), features))


def kinds_of(engine, image: Image, number: int) -> set[str]:
    with reading(engine) as session:
        is_repeat = session.exec(select(Repeat.id).where(Repeat.number == number)).first() is not None
        is_look = session.exec(select(SecondLook.vote_id).where(SecondLook.image_id == image.id)).first() is not None
    special = ({"repeat"} if is_repeat else set()) | ({"look"} if is_look else set())
    found = {image.origin.value} | special
    if image.origin is Origin.sampled:
        found |= {f"version {image.version}"} | (set() if special else {"ordinary"})
    return found


@pytest.fixture(scope="module")
def rater(tmp_path_factory: pytest.TempPathFactory, publish_version: Callable) -> Iterator[Rater]:
    """A rater who judged two versions, evaluation pictures, controls, repeats and doubted votes of somebody else."""
    settings = Settings(data_dir=tmp_path_factory.mktemp("blind"), _env_file=None)
    engine = open_store(settings)
    draw = partial(put_pictures, settings, engine)
    publish_version(engine, 1)
    draw(60, first_seed=1000)
    doubt_all(engine, "bob")
    draw(110)
    draw(110, version=1, first_seed=110)
    draw(32, first_seed=2**31, origin=Origin.evaluation)
    with writing(engine) as session:
        for image in session.exec(select(Image).where(Image.origin == Origin.evaluation)):
            image.is_queued, image.overlap = True, 3
            session.add(image)
    for row in range(61, 281, 4):
        make_control(engine, row, Verdict.reject if row % 8 == 5 else Verdict.keep, by="root")
    shares = {"control_share": 0.3, "repeat_share": 0.3, "look_again_share": 0.3}
    wanted = settings.model_copy(update=shares)
    app = Starlette(routes=routes(lambda: engine, wanted))
    with TestClient(app, base_url="http://127.0.0.1:8501") as client:  # one event loop for all requests
        rater = Rater(client, engine)
        rater.rate()
    without_drift(rater.showings)
    rater.showings = rater.showings[2 * REPEAT_AFTER :]  # before that no picture can be a repeat
    yield rater
    engine.dispose()


def doubt_all(engine, name: str) -> None:
    """Somebody judges all pictures, and the newest version's check doubts every vote."""
    hand = next_images(engine, name, Terms(), count=99)
    presses = [Press(str(uuid4()), one.image_id, (Verdict.reject, Verdict.keep)[k % 2]) for k, one in enumerate(hand)]
    record_votes(engine, name, presses, Terms())
    with writing(engine) as session:
        for vote in session.exec(select(Vote)):
            doubted = SecondLook(vote_id=vote.id, image_id=vote.image_id, rater_id=vote.rater_id, version=1, chance=0.5)
            session.add(doubted)


def without_drift(showings: list[Showing], around: int = 5) -> None:
    """Makes what changes while a rater goes on relative to the showings just before and after it.

    The machine is not equally busy all the time; the hand shrinks towards the queue's end, when some kinds are used up.
    """
    for name in [name for name in showings[0].features if name.startswith("seconds") or name == "pictures in hand"]:
        seen = [one.features[name] for one in showings]
        for place, one in enumerate(showings):
            one.features[name] -= float(np.median(seen[max(0, place - around) : place + around + 1]))


def table_of(showings: list[Showing], kind: str) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Features of the ordinary showings and of those of a kind, which are which, and the features' names."""
    is_version = kind.startswith("version")
    rows = [one for one in showings if "ordinary" in one.kinds or (not is_version and kind in one.kinds)]
    names = list(rows[0].features)
    values = np.array([[float(one.features[name]) for name in names] for one in rows])
    return values, np.array([kind in one.kinds for one in rows]), names


def lead(scores: np.ndarray, is_kind: np.ndarray) -> float:
    """By how many standard errors the scores rank the kind above the others (Mann and Whitney's U, ties shared)."""
    ranks = np.array([(np.sum(scores < score) + np.sum(scores <= score) + 1) / 2 for score in scores])
    ones, others = int(is_kind.sum()), int((~is_kind).sum())
    u = ranks[is_kind].sum() - ones * (ones + 1) / 2
    return float((u - ones * others / 2) / np.sqrt(ones * others * (ones + others + 1) / 12))


def predicted(values: np.ndarray, is_kind: np.ndarray, folds: int = 5) -> np.ndarray:
    """Scores of a logistic regression on standardised features, each from a fit on the other folds."""
    spread = values.std(axis=0)
    scaled = np.clip((values - values.mean(axis=0)) / np.where(spread > 0, spread, 1), -5, 5)
    scaled = np.hstack([scaled, np.ones((len(scaled), 1))])
    fold = np.random.default_rng(0).permutation(len(scaled)) % folds
    scores = np.zeros(len(scaled))
    for held_out in range(folds):
        x, y = scaled[fold != held_out], is_kind[fold != held_out].astype(float)
        share, weights = y.mean(), np.zeros(x.shape[1])
        balance = np.where(y > 0, 0.5 / share, 0.5 / (1 - share))
        for _ in range(300):
            error = balance * (1 / (1 + np.exp(-x @ weights)) - y)
            weights -= 0.5 * (x.T @ error / len(y) + 0.01 * weights)
        scores[fold == held_out] = scaled[fold == held_out] @ weights
    return scores


def what_tells(showings: list[Showing], kind: str) -> dict[str, float]:
    """The features, and the classifier of all of them, that tell a kind better than chance, each with its lead."""
    values, is_kind, names = table_of(showings, kind)
    assert is_kind.sum() >= LEAST, f"{kind} was shown {is_kind.sum()} times"
    leads = {name: abs(lead(values[:, place], is_kind)) for place, name in enumerate(names) if np.ptp(values[:, place])}
    leads["all together"] = lead(predicted(values, is_kind), is_kind)
    return {name: round(found, 1) for name, found in leads.items() if found > LEADING}


@pytest.mark.parametrize("kind", KINDS)
def test_a_classifier_of_all_that_the_wire_carries_does_no_better_than_chance(rater: Rater, kind: str) -> None:
    assert what_tells(rater.showings, kind) == {}


def true_due(one: Showing) -> dict[str, float]:
    is_counted = float("ordinary" in one.kinds)
    return {"due after the vote": is_counted, "due after undo": -is_counted, "due after another vote": is_counted}


LEAKS = {
    "row numbers": (lambda one: {"number": one.row}, "evaluation"),
    "row numbers of a version": (lambda one: {"number": one.row}, "version 1"),
    "the true count of new rejects": (true_due, "control"),
    "the number of a repeat": (lambda one: {"known number": "repeat" in one.kinds}, "repeat"),
    "the address of a repeat": (lambda one: {"known address": "repeat" in one.kinds}, "repeat"),
    "a repeat that comes first": (lambda one: {"moved": -one.features["place"] * ("repeat" in one.kinds)}, "repeat"),
}


@pytest.mark.parametrize("leak", LEAKS)
def test_the_classifier_notices_what_once_told(rater: Rater, leak: str) -> None:
    told, kind = LEAKS[leak]
    leaking = [Showing(one.number, one.row, one.kinds, one.features | told(one)) for one in rater.showings]
    assert "all together" in what_tells(leaking, kind)


def test_no_answer_names_what_an_image_is(rater: Rater) -> None:
    prompts = {image["prompt"] for answer in rater.answers for image in answer.get("images", [])}
    text = json.dumps(rater.answers)
    for prompt in prompts:
        text = text.replace(prompt, "")
    assert FORBIDDEN.findall(text) == []
    shapes = {tuple(image) for answer in rater.answers for image in answer.get("images", [])}
    assert shapes == {("id", "url", "prompt", "unread", "width", "height")}


def test_no_row_number_reaches_a_rater(rater: Rater) -> None:
    assert all(2**32 <= one.number < 2**53 for one in rater.showings)
    assert len({one.number for one in rater.showings}) == len(rater.showings), "a repeat has its own number"
