"""The API behind the door, and holders of tokens."""

from collections.abc import Callable
from uuid import uuid4

import pytest
from sqlalchemy import Engine
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.testclient import TestClient

from feedback.people.tokens import make_token
from store.settings import Settings
from store.tables import PersonRole
from tests.ui.export.conftest import published  # noqa: F401
from tests.ui.signin.conftest import PUBLIC
from ui.api.operation import V1
from ui.api.routes import api_routes
from ui.rate.routes import routes
from ui.signin.door import Door
from ui.signin.invitation_link import invitation_routes
from ui.web.guard import SameMachine


@pytest.fixture
def beyond_settings(settings: Settings) -> Settings:
    """Settings of a server beyond this machine."""
    return Settings(**(PUBLIC | {"data_dir": settings.data_dir, "repeat_share": 0.0}), _env_file=None)


@pytest.fixture
def stranger(engine: Engine, beyond_settings: Settings) -> TestClient:
    """A program without a token."""
    asked = beyond_settings

    def opened() -> Engine:
        return engine

    app = Starlette(
        routes=[*routes(opened, asked), *invitation_routes(opened, asked), *api_routes(opened, asked)],
        middleware=[Middleware(SameMachine, hosts=asked.host_names), Middleware(Door, engine=opened, settings=asked)],
    )
    return TestClient(app, base_url="https://rate.example.org", raise_server_exceptions=False, follow_redirects=False)


@pytest.fixture
def as_role(stranger: TestClient, engine: Engine) -> Callable[..., TestClient]:
    """A function that gives the client a new token of that role."""

    def as_role(role: str, name: str = "") -> TestClient:
        token = make_token(engine, name or role, PersonRole(role))
        stranger.headers["authorization"] = f"Bearer {token}"
        return stranger

    return as_role


def next_of(client: TestClient, count: int = 8) -> list[dict]:
    return client.post(f"{V1}/next", json={"count": count}).json()["pictures"]


def vote(image_id: int, verdict: str = "reject", **more: object) -> dict:
    return {"request_id": str(uuid4()), "image_id": image_id, "verdict": verdict} | more


def send(client: TestClient, *votes: dict):
    return client.post(f"{V1}/votes", json={"votes": votes})
