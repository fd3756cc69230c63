"""The pages and their routes as one application: `streamlit run ui/server.py`."""

import gc
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse
from starlette.routing import Route
from streamlit import config

from feedback.pool.damage import look_again
from feedback.runs import bury_dead_runs
from store.layout import layout_of
from store.tables import PersonRole
from ui.api.routes import api_routes
from ui.dashboard.live.news import news_routes
from ui.dashboard.pool.routes import pool_routes
from ui.dashboard.setup.pictures.routes import picture_routes
from ui.dashboard.sort.routes import sort_routes
from ui.export.routes import export_routes
from ui.rate.plain_form import plain_routes
from ui.rate.routes import routes
from ui.run.base_path import BasePath
from ui.signin.door import Door
from ui.signin.invitation_link import invitation_routes
from ui.signin.oidc import oidc_routes, write_oidc_secrets
from ui.signin.people import MAY_OPEN
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
        "ui.dashboard.versions.page",
        "ui.dashboard.pool.page",
        "ui.dashboard.raters",
        "ui.dashboard.playground.page",
        "ui.dashboard.sort.page",
        "ui.dashboard.setup.page",
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


def first_html() -> str:
    """Streamlit's first HTML under our name, with a way to rate without JavaScript and the style of a page to come.

    It also says where the server is. Otherwise each page would first look for it below its own address.
    """
    html = (Path(st.__file__).parent / "static" / "index.html").read_text(encoding="utf-8")
    style = Path(__file__).parent / "dashboard" / "live" / "whole.css"
    html = NOSCRIPT.sub(WITHOUT_JAVASCRIPT, html).replace("<title>Streamlit</title>", "<title>Naysayer</title>")
    html = html.replace("<head>", f"<head>{SERVER_IS_HERE}", 1)
    return html.replace("</head>", f"<style>{style.read_text(encoding='utf-8')}</style></head>")


async def open_page(_request: Request) -> HTMLResponse:
    """The first HTML of every page; its script sees in the address which one it is."""
    return HTMLResponse(FIRST, headers={"cache-control": "no-cache"})


NOSCRIPT = re.compile(r"<noscript>.*?</noscript>", re.DOTALL)
WITHOUT_JAVASCRIPT = '<noscript><a href="./naysayer/plain">Rate pictures without JavaScript</a></noscript>'
SERVER_IS_HERE = '<script>window.__streamlit = {BACKEND_BASE_URL: new URL(".", location.href).href}</script>'
FIRST = first_html()
ADDRESSES = ["/", *(f"/{title.lower()}" for title in MAY_OPEN[PersonRole.admin] if title != "Rate")]
app = st.App(
    Path(__file__).with_name("app.py"),
    routes=[
        *routes(engine, settings()),
        *plain_routes(engine, settings()),
        *invitation_routes(engine, settings()),
        *oidc_routes(settings()),
        *metrics_routes(engine, settings()),
        *news_routes(engine, settings()),
        *pool_routes(engine, settings()),
        *sort_routes(engine, settings()),
        *picture_routes(engine, settings()),
        *export_routes(engine, settings()),
        *api_routes(engine, settings()),
        Route("/rate", redirect_to_rating),
        *(Route(address, open_page) for address in ADDRESSES),
    ],
    middleware=[
        Middleware(BasePath, base=settings().base_path),
        Middleware(SameMachine, hosts=settings().host_names, address=settings().public_url),
        Middleware(Door, engine=engine, settings=settings()),
    ],
    lifespan=lifespan,
)
