"""Nothing that the rating page is told gives away what an image is: its version, its origin, a control, a repeat."""

import json
import re
import statistics
import time
from collections import defaultdict
from uuid import uuid4

import pytest
from sqlmodel import select
from starlette.applications import Starlette
from starlette.testclient import TestClient

from feedback.rate.controls import make_control
from store.engine import reading, writing
from store.tables import Image, Origin, Repeat, Verdict
from ui.rate.routes import routes

FORBIDDEN = re.compile(r"version|origin|control|repeat|sampled|evaluation|overlap|champion|weight|answer|agreed", re.I)


@pytest.fixture
def session_of_a_rater(engine, settings, draw, publish_version):
    """All answers of the routes while a rater judges two versions, evaluation pictures, controls and repeats."""
    publish_version(engine, 1)
    draw(150)
    draw(100, version=1, first_seed=150)
    draw(20, first_seed=2**31, origin=Origin.evaluation)
    with writing(engine) as session:
        for image in session.exec(select(Image).where(Image.origin == Origin.evaluation)):
            image.is_queued, image.overlap = True, 3
            session.add(image)
    for image in range(1, 31):
        make_control(engine, image, Verdict.reject if image % 2 else Verdict.keep, by="root")
    wanted = settings.model_copy(update={"control_share": 0.1, "repeat_share": 0.1})
    client = TestClient(Starlette(routes=routes(lambda: engine, wanted)), base_url="http://127.0.0.1:8501")
    answers, seconds, places = [], defaultdict(list), defaultdict(list)
    today = 0
    while images := (answer := client.post("/naysayer/next", json={"rater": "ada", "count": 12}).json())["images"]:
        answers.append(answer)
        for place, image in enumerate(images):
            places[image["id"]].append(place)
            began = time.perf_counter()
            picture = client.get(image["url"])
            seconds[image["id"]].append(time.perf_counter() - began)
            press = {"request_id": str(uuid4()), "image_id": image["id"], "verdict": "reject"}
            answer = client.post("/naysayer/votes", json={"rater": "ada", "votes": [press]}).json()
            today += 1
            assert answer["progress"]["today"] == today, "the rater's own count must go up with every vote"
            answers.append(answer | {"headers": sorted(set(picture.headers) - {"content-length"})})
    return answers, seconds, places


def kinds(engine) -> dict[str, set[int]]:
    with reading(engine) as session:
        return {
            "version 0": set(session.exec(select(Image.id).where(Image.version == 0, Image.origin == Origin.sampled))),
            "version 1": set(session.exec(select(Image.id).where(Image.version == 1))),
            "evaluation": set(session.exec(select(Image.id).where(Image.origin == Origin.evaluation))),
            "control": set(session.exec(select(Image.id).where(Image.origin == Origin.control))),
            "repeat": set(session.exec(select(Repeat.image_id))),
        }


def test_no_answer_tells_what_an_image_is(engine, session_of_a_rater):
    answers, seconds, places = session_of_a_rater
    found = kinds(engine)
    assert all(len(set(seconds) & ids) >= 5 for ids in found.values()), "each kind must have been shown"
    text = json.dumps([{name: value for name, value in answer.items() if name != "headers"} for answer in answers])
    assert FORBIDDEN.findall(text) == []
    shapes = {tuple(image) for answer in answers for image in answer.get("images", [])}
    assert shapes == {("id", "url", "prompt", "width", "height")}
    assert len({tuple(answer["headers"]) for answer in answers if "headers" in answer}) == 1
    assert all(
        re.fullmatch(r"/naysayer/image/[0-9a-f]{64}-[0-9a-f]{32}", image["url"])
        for answer in answers
        for image in answer.get("images", [])
    )
    # Neither time nor place tells: controls and repeats take no longer, and may come anywhere in the queue.
    usual = [second for image in found["version 0"] for second in seconds[image]]
    for kind in ("control", "repeat", "version 1", "evaluation"):
        theirs = [second for image in found[kind] for second in seconds[image]]
        assert statistics.median(theirs) < 3 * statistics.median(usual) + 0.002, kind
        assert len({place for image in found[kind] for place in places[image]}) >= 5, kind
