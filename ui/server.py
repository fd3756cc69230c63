"""The pages and their routes as one application: `streamlit run ui/server.py`."""

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import RedirectResponse
from starlette.routing import Route
from streamlit import config

from feedback.pool.damage import look_again
from feedback.runs import bury_dead_runs
from store.layout import layout_of
from ui.rate.plain_form import plain_routes
from ui.rate.routes import routes
from ui.signin.door import Door
from ui.signin.invitation_link import invitation_routes
from ui.signin.oidc import oidc_routes, write_oidc_secrets
from ui.web.guard import LOOPBACK, SameMachine
from ui.web.metrics import metrics_routes
from ui.web.process import engine, settings


@asynccontextmanager
async def lifespan(_app: st.App) -> AsyncIterator[None]:
    """Opens the store and the pages once, and takes what is loaded by then out of the garbage collector's way.

    Streamlit collects everything after each rerun (a hidden option); without both a rerun takes 78 ms, not 13.
    """
    bury_dead_runs(engine())
    look_again(engine(), layout_of(settings()).blobs)
    for pages in (
        "ui.dashboard.overview",
        "ui.dashboard.versions",
        "ui.dashboard.pool",
        "ui.dashboard.raters",
        "ui.dashboard.playground",
    ):
        import_module(pages)
    config.set_option("runner.postScriptGC", False)
    config.set_option("server.allowedHosts", [*sorted(LOOPBACK | settings().host_names)])
    if settings().public_url:
        config.set_option("server.corsAllowedOrigins", [settings().public_url])
    if settings().sign_in == "oidc":
        write_oidc_secrets(settings())
    gc.collect()
    gc.freeze()
    yield


async def redirect_to_rating(_request: Request) -> RedirectResponse:
    """A redirect to the rating page at `/`; Streamlit gives a page only one address."""
    return RedirectResponse("/")


app = st.App(
    Path(__file__).with_name("app.py"),
    routes=[
        *routes(engine, settings()),
        *plain_routes(engine, settings()),
        *invitation_routes(engine, settings()),
        *oidc_routes(settings()),
        *metrics_routes(engine, settings()),
        Route("/rate", redirect_to_rating),
    ],
    middleware=[
        Middleware(SameMachine, hosts=settings().host_names, address=settings().public_url),
        Middleware(Door, engine=engine, settings=settings()),
    ],
    lifespan=lifespan,
)
