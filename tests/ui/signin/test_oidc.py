"""A sign-in at a real OIDC provider, through Streamlit's `st.login`, in a browser."""

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect
from sqlmodel import select
from starlette.applications import Starlette
from starlette.testclient import TestClient

from bench.rate.browser import answers, free_port
from store.engine import reading
from store.settings import Settings
from store.tables import Rater, Vote
from tests.ui.conftest import Served
from tests.ui.rate.test_rating_page import all_sent, press
from tests.ui.signin.conftest import OIDC, SECRET
from tests.waiting import PATIENCE_S, until
from ui.signin.door import SIGN_IN
from ui.signin.oidc import oidc_routes, write_oidc_secrets

ACCOUNTS = [
    {"sub": "ann", "email": "ann@example.org", "email_verified": True},
    {"sub": "root", "email": "root@example.org", "email_verified": True},
    {"sub": "eve", "email": "root@example.org", "email_verified": False},
    {"sub": "nobody"},
    {"sub": "long", "email": f"{'a' * 90}@example.org", "email_verified": True},
]


@pytest.fixture
def provider() -> Iterator[str]:
    """Address of an OIDC provider with ACCOUNTS; it signs tokens, and asks for no password."""
    port = free_port()
    url = f"http://localhost:{port}"
    program = Path(sys.executable).with_name("oidc-provider-mock")
    accounts = [part for claims in ACCOUNTS for part in ("--user-claims", json.dumps(claims))]
    process = subprocess.Popen([program, "--port", str(port), *accounts])
    try:
        until(lambda: answers(url, "/.well-known/openid-configuration"), "the provider to answer")
        yield url
    finally:
        process.kill()
        process.wait(PATIENCE_S)


@pytest.fixture
def base() -> str:
    """The path below which the pages are; a test can give another."""
    return ""


@pytest.fixture
def served(settings, engine, draw, provider, monkeypatch, base) -> Iterator[Served]:
    draw(12)
    with_port = settings.model_copy(update={"port": free_port()})
    served = Served(with_port)
    asked = {
        "SIGN_IN": "oidc",
        "SECRET": SECRET,
        "PUBLIC_URL": served.url,
        "BASE_PATH": base,
        "OIDC_CLIENT_ID": "naysayer",
        "OIDC_CLIENT_SECRET": "known to both",
        "OIDC_METADATA_URL": f"{provider}/.well-known/openid-configuration",
        "ADMINS": "root@example.org",
    }
    for name, value in asked.items():
        monkeypatch.setitem(os.environ, f"NAYSAYER_{name}", value)
    served.start()
    yield served
    served.kill()


def sign_in(page: Page, url: str, account: str) -> None:
    page.goto(url)
    page.get_by_role("button", name="Sign in").click()
    page.locator("input[name=sub]").fill(account)
    page.get_by_role("button", name="Authorize").click()


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize("base", ["", "/rate"])
def test_an_account_rates_under_its_address_and_an_admin_sees_all_pages(served, page, engine, base):
    sign_in(page, served.url + base, "ann")
    expect(page).to_have_url(f"{served.url}{base}/")
    expect(page.locator(".name")).to_have_text("ann@example.org")
    expect(page.get_by_role("link", name="Versions")).to_have_count(0)
    press(page, "j")
    all_sent(page)
    with reading(engine) as session:
        assert session.exec(select(Rater.name).join(Vote)).all() == ["ann@example.org"]
    assert {one["path"] for one in page.context.cookies(served.url + base)} == {base or "/"}
    page.context.clear_cookies()
    sign_in(page, served.url + base, "root")
    page.get_by_role("link", name="Versions").first.wait_for()


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize(
    ("account", "why"),
    [
        ("eve", "no e-mail address that its provider calls verified"),
        ("nobody", "no e-mail address that its provider calls verified"),
        ("long", "your account's address cannot be a rater's name"),
    ],
)
def test_an_account_that_cannot_rate_gets_nowhere_and_reads_why(served, page, account, why):
    sign_in(page, served.url, account)
    page.get_by_text(why).wait_for()
    page.get_by_role("button", name="Sign in").wait_for()
    expect(page.locator(".frame img")).to_have_count(0)


def test_a_provider_that_does_not_answer_is_named_as_the_reason(settings):
    silent = f"http://127.0.0.1:{free_port()}/.well-known/openid-configuration"
    account = Settings(**(OIDC | {"data_dir": settings.data_dir, "oidc_metadata_url": silent}), _env_file=None)
    answer = TestClient(Starlette(routes=oidc_routes(account))).get(SIGN_IN)
    assert answer.status_code == 503
    assert "The identity provider does not answer" in answer.text


def test_the_oidc_file_is_read_by_its_owner_alone(settings, tmp_path):
    account = Settings(**(OIDC | {"data_dir": tmp_path, "oidc_client_secret": 'quo"te\\'}), _env_file=None)
    write_oidc_secrets(account)
    path = tmp_path / ".oidc.toml"
    assert path.stat().st_mode & 0o077 == 0
    auth = tomllib.loads(path.read_text())["auth"]
    assert auth["client_secret"] == 'quo"te\\'
    assert urlsplit(auth["redirect_uri"]).path == "/oauth2callback"
    write_oidc_secrets(account.model_copy(update={"base_path": "/rate"}))
    assert "rate.example.org/rate/oauth2callback" in path.read_text()
