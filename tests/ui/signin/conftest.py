"""A server beyond this machine, and people who enter it."""

import os
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Route
from starlette.testclient import TestClient

from feedback.people.invitations import invite
from store.settings import Settings
from tests.ui.conftest import Served, free_port
from ui.rate.routes import routes
from ui.signin.invitation_link import invitation_routes
from ui.web.guard import SameMachine

SECRET = "a secret of more than thirty-two characters"


def client_of_routes(routes: list[Route], **cookies: str) -> TestClient:
    """A browser that holds these cookies, for an app that has only these routes."""
    return TestClient(Starlette(routes=routes), base_url="https://rate.example.org", cookies=cookies)


PUBLIC = {"sign_in": "invitations", "secret": SECRET, "public_url": "https://rate.example.org", "host": "0.0.0.0"}


OIDC = PUBLIC | {
    "sign_in": "oidc",
    "oidc_client_id": "id",
    "oidc_client_secret": "s",
    "oidc_metadata_url": "https://accounts.example.org/.well-known/openid-configuration",
    "admins": "Root@example.org, second@example.org",
}


@pytest.fixture
def public(settings: Settings) -> Settings:
    return Settings(**(PUBLIC | {"data_dir": settings.data_dir}), _env_file=None)


@pytest.fixture
def client(engine, public) -> TestClient:
    return client_of(engine, public)


def client_of(engine, settings: Settings) -> TestClient:
    app = Starlette(
        routes=[*routes(lambda: engine, settings), *invitation_routes(lambda: engine, settings)],
        middleware=[Middleware(SameMachine, hosts=settings.host_names)],
    )
    return TestClient(app, base_url="https://rate.example.org", raise_server_exceptions=False, follow_redirects=False)


def enter(client: TestClient, engine, name: str = "ann") -> str:
    token = invite(engine, name, days=1, secret=SECRET)
    assert client.get(f"/naysayer/invited/{token}").status_code == 303
    return token


def vote_on(client: TestClient, image: int, rater: str = "ann", request: str = "request-1"):
    press = {"request_id": request, "image_id": image, "verdict": "reject"}
    return client.post("/naysayer/votes", json={"rater": rater, "votes": [press]})


@pytest.fixture
def beyond(settings: Settings, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """The real page server with invitations, started."""
    served = Served(settings.model_copy(update={"port": free_port()}))
    asked = {"SIGN_IN": "invitations", "SECRET": SECRET, "PUBLIC_URL": served.url}
    for name, value in asked.items():
        monkeypatch.setitem(os.environ, f"NAYSAYER_{name}", value)
    served.start()
    yield served
    served.kill()
