"""What every open page is told: how the newest retrain goes or ended. One answer a second serves all who ask."""

import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import streamlit as st
from sqlalchemy import Engine
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.routing import Route

from feedback.runs import newest_run
from feedback.versions import champion
from store.settings import Settings
from store.tables import Run, RunStatus
from ui.signin.invitation_link import identify_sender
from ui.signin.json_routes import Answer, in_json
from ui.signin.people import MAY_OPEN
from ui.web.process import settings as own_settings

NEWS = "/naysayer/news"
LEARNT = "A new version is there: it has learnt from the votes."
"""All that somebody is told who may not know of versions."""


class News(NamedTuple):
    """The newest retrain: its number and state, and what to say once it has ended; nothing to say is empty."""

    run: int
    state: str
    sentence: str


def news_routes(engine: Callable[[], Engine], settings: Settings) -> list[Route]:
    """The route; `engine` is called for each request."""

    async def give_news(request: Request) -> Answer:
        """How the newest retrain goes or ended, in words for whoever asks."""
        person = await run_in_threadpool(identify_sender, engine(), settings, request)
        found = await run_in_threadpool(_news_at, engine(), int(time.monotonic()))
        return (found if "Overview" in MAY_OPEN[person.role] else without_versions(found))._asdict()

    return [Route(NEWS, in_json(give_news), methods=["GET"])]


@lru_cache(maxsize=2)
def _news_at(engine: Engine, _second: int) -> News:
    return news_of(engine)


def news_of(engine: Engine) -> News:
    """The news for somebody who may see the versions."""
    run = newest_run(engine)
    if run is None or run.id is None:
        return News(0, "none", "")
    return News(run.id, run.status.value, _sentence(run, engine))


def without_versions(news: News) -> News:
    """The same for a rater, who is told of no version and can mend nothing."""
    return news._replace(sentence=LEARNT if news.state == RunStatus.done else "")


def _sentence(run: Run, engine: Engine) -> str:
    if run.status is RunStatus.running:
        return ""
    if run.status is RunStatus.done:
        live = champion(engine).number
        return f"v{run.version} is ready" + (
            " and draws now." if live == run.version else f", to be compared with v{live}."
        )
    if run.stop_reason is not None:
        return "The retrain was stopped; it made no version."
    what = "failed" if run.status is RunStatus.failed else "was interrupted"
    return f"The retrain {what}: {run.message}"


_page = st.components.v2.component(
    "naysayer_live",
    html=Path(__file__).with_name("page.html").read_text(encoding="utf-8"),
    js=Path(__file__).with_name("page.js").read_text(encoding="utf-8"),
    isolate_styles=False,
)


def tell_news() -> None:
    """Lets this page tell what happens, wherever its reader is: a retrain that ended, a server that is gone."""
    _page(key="live", data={"news": own_settings().below(NEWS)})
