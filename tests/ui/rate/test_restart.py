"""Votes while PostgreSQL restarts: the page sends each until it is acknowledged, and each counts once."""

import threading
import time
from uuid import uuid4

import pytest
from sqlmodel import select
from starlette.applications import Starlette
from starlette.testclient import TestClient

from store.engine import reading
from store.migrate import open_store
from store.settings import Settings
from store.tables import Vote
from tests.waiting import PATIENCE_S
from ui.rate.routes import routes

VOTES = 30


@pytest.mark.postgres
@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_no_vote_is_lost_and_none_counts_twice_when_the_database_restarts(own_database, tmp_path, fill, mode):
    settings = Settings(data_dir=tmp_path / "data", store_url=own_database.url, _env_file=None)
    engine = open_store(settings)
    fill(engine, images=VOTES)
    client = TestClient(
        Starlette(routes=routes(lambda: engine, settings)),
        base_url="http://127.0.0.1:8501",
        raise_server_exceptions=False,
    )

    def send(path: str, body: dict) -> dict:
        """As `outbox.js` does: whatever is not an answer is sent again, unless it is the request's own fault."""
        deadline = time.monotonic() + PATIENCE_S
        while (answer := client.post(path, json={"rater": "ada"} | body)).status_code != 200:
            assert (answer.status_code, "the database does not answer" in answer.text) == (503, True), answer.text
            assert time.monotonic() < deadline, answer.text
            time.sleep(0.05)
        return answer.json()

    sent, restart = [], threading.Thread(target=own_database.restart, args=(mode,))
    images = send("/naysayer/next", {"count": VOTES})["images"]
    for number, image in enumerate(images):
        if number == 2:
            restart.start()
        press = {"request_id": str(uuid4()), "image_id": image["id"], "verdict": "reject", "page": "one"}
        [receipt] = send("/naysayer/votes", {"votes": [press]})["receipts"]
        assert receipt["refused"] == ""
        sent.append(press["request_id"])
        time.sleep(0.05)
    restart.join()
    with reading(engine) as session:
        assert sorted(session.exec(select(Vote.request_id))) == sorted(sent)
    assert len(sent) > 4
    engine.dispose()
