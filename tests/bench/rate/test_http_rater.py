"""The rater without a browser: votes through the real routes, each on another picture."""

import threading
import time
from collections.abc import Iterator

import pytest
import uvicorn
from sqlmodel import select
from starlette.applications import Starlette

from bench.rate.browser import free_port
from bench.rate.http_rater import HttpRater
from store.engine import reading
from store.tables import Vote
from ui.rate.routes import routes


@pytest.fixture
def url(engine, settings) -> Iterator[str]:
    port = free_port()
    app = Starlette(routes=routes(lambda: engine, settings))
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error", ws="none"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join()


def test_a_vote_is_on_disk_when_its_receipt_comes(engine, fill, url):
    fill(engine, 30)
    rater = HttpRater(url, "ada")
    rater.refill()
    sent = rater.vote(3) | rater.vote()
    with reading(engine) as session:
        votes = list(session.exec(select(Vote)))
    assert {vote.request_id for vote in votes} == sent
    assert len({vote.image_id for vote in votes}) == 4
    rater.connection.close()
