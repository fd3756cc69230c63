"""Beyond this machine: who may do what, held by the server."""

import json
import os
import subprocess
import time
import tomllib
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest
from pydantic import ValidationError
from sqlmodel import select
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.testclient import TestClient
from streamlit.web.server.starlette.starlette_app_utils import create_signed_value

from feedback.people.invitations import invite, revoke_invitations
from store.engine import reading
from store.errors import BadRequest, NotSignedIn
from store.settings import Settings
from store.settings_file import read_settings
from store.tables import PersonRole, Rater, Vote
from tests.ui.conftest import free_port
from ui.rate.routes import routes
from ui.run.serve import pages_command
from ui.signin.invitation_link import invitation_routes
from ui.signin.oidc import write_oidc_secrets
from ui.signin.people import COOKIE, LOCAL, Person, identify, read_email
from ui.web.guard import SameMachine

SECRET = "a secret of more than thirty-two characters"
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


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "8.8.8.8"])
def test_a_public_address_without_sign_in_is_refused_in_a_sentence(host, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NAYSAYER_HOST", host)
    with pytest.raises(BadRequest, match=r"anybody could vote under any name; set NAYSAYER_SIGN_IN"):
        read_settings()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"secret": ""}, "32 or more"),
        ({"secret": "x" * 31}, "32 or more"),
        ({"public_url": ""}, "NAYSAYER_PUBLIC_URL"),
        ({"public_url": "rate.example.org"}, "NAYSAYER_PUBLIC_URL"),
        ({"sign_in": "oidc"}, "NAYSAYER_OIDC_CLIENT_ID"),
    ],
)
def test_sign_in_needs_a_secret_and_an_address(change, sentence):
    with pytest.raises(ValidationError, match=sentence):
        Settings(**(PUBLIC | change), _env_file=None)


def test_no_secret_has_a_default_or_is_shown():
    assert Settings(_env_file=None).secret == Settings(_env_file=None).oidc_client_secret == ""
    assert SECRET not in repr(Settings(**PUBLIC, _env_file=None))


def test_nobody_gets_anything_without_an_invitation(client, engine, draw):
    draw(2)
    assert client.post("/naysayer/next", json={"rater": "ann"}).status_code == 401
    assert vote_on(client, 1).status_code == 401
    assert client.get(f"/naysayer/image/{'0' * 64}.png").status_code == 401
    with reading(engine) as session:
        assert list(session.exec(select(Rater))) == []


def test_a_link_becomes_a_cookie_that_no_script_can_read(client, engine):
    token = invite(engine, "ann", days=1, secret=SECRET)
    answer = client.get(f"/naysayer/invited/{token}")
    cookie = answer.headers["set-cookie"].lower()
    assert cookie.startswith(f"{COOKIE}=")
    assert all(part in cookie for part in ("httponly", "samesite=lax", "secure", "max-age="))
    assert (answer.headers["location"], answer.headers["referrer-policy"]) == ("/", "no-referrer")
    assert client.get("/naysayer/invited/1.00").status_code == 403


def test_the_rater_is_who_signed_in_and_not_who_the_body_names(client, engine, draw):
    draw(2)
    enter(client, engine)
    image = client.post("/naysayer/next", json={"rater": "somebody else"}).json()["images"][0]
    assert vote_on(client, image["id"], rater="somebody else").status_code == 401
    assert vote_on(client, image["id"], rater="ann").json()["receipts"][0]["refused"] == ""
    assert client.get(image["url"]).status_code == 200
    with reading(engine) as session:
        assert list(session.exec(select(Rater.name).join(Vote))) == ["ann"]
        assert list(session.exec(select(Rater.name))) == ["ann"]


def test_a_revoked_invitation_ends_at_once(client, engine, draw):
    draw(1)
    enter(client, engine)
    assert client.post("/naysayer/next", json={"rater": "ann"}).status_code == 200
    revoke_invitations(engine, "ann")
    assert client.post("/naysayer/next", json={"rater": "ann"}).status_code == 401


def test_the_pages_answer_to_their_public_name_alone(client, engine):
    enter(client, engine)
    name = "/naysayer/image/x.png"
    assert client.get(name).status_code == 404
    assert client.get(name, headers={"host": "evil.example"}).status_code == 403
    body = {"rater": "ann"}
    for origin, status in (("https://rate.example.org", 200), ("https://evil.example", 403)):
        assert client.post("/naysayer/next", json=body, headers={"origin": origin}).status_code == status


def test_on_this_machine_a_name_is_enough_and_there_are_no_invitations(engine, settings):
    assert identify(engine, settings, {}) == LOCAL
    assert invitation_routes(lambda: engine, settings) == []


def test_an_account_is_known_by_its_verified_address(engine, settings):
    oidc = Settings(**(OIDC | {"data_dir": settings.data_dir}), _env_file=None)

    def email(claims: dict, secret: str = SECRET) -> str:
        signed = create_signed_value(secret, "_streamlit_user", json.dumps(claims))
        cookie = signed.decode() if isinstance(signed, bytes) else signed
        return read_email({"_streamlit_user": cookie}, oidc)

    assert email({"email": "ann@example.org", "email_verified": True}) == "ann@example.org"
    assert email({"email": "ann@example.org", "email_verified": False}) == ""
    assert email({"email": "root@example.org"}, secret="somebody else's secret of thirty-two!") == ""
    assert identify(engine, oidc, {}, "ann@example.org") == Person("ann@example.org", PersonRole.rater)
    assert identify(engine, oidc, {}, "root@example.org").role is PersonRole.admin
    with pytest.raises(NotSignedIn):
        identify(engine, oidc, {}, "")
    with pytest.raises(NotSignedIn):
        identify(engine, oidc, {COOKIE: "1.00"}, "")


def test_the_oidc_file_is_read_by_its_owner_alone(settings, tmp_path):
    oidc = Settings(**(OIDC | {"data_dir": tmp_path, "oidc_client_secret": 'quo"te\\'}), _env_file=None)
    write_oidc_secrets(oidc)
    path = tmp_path / ".oidc.toml"
    assert path.stat().st_mode & 0o077 == 0
    auth = tomllib.loads(path.read_text())["auth"]
    assert auth["client_secret"] == 'quo"te\\'
    assert urlsplit(auth["redirect_uri"]).path == "/oauth2callback"


@pytest.mark.browser
def test_a_rater_sees_the_rating_page_alone_and_a_stranger_nothing(settings, engine, draw, page):
    draw(3)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    served = settings.model_copy(update={"port": port})
    environment = os.environ | {
        "NAYSAYER_DATA_DIR": str(settings.data_dir),
        "NAYSAYER_SIGN_IN": "invitations",
        "NAYSAYER_SECRET": SECRET,
        "NAYSAYER_PUBLIC_URL": url,
    }
    process = subprocess.Popen(pages_command(served), env=environment)
    try:
        wait_for(url)
        page.goto(f"{url}/raters")
        page.get_by_text("Sign in first").wait_for()
        page.goto(f"{url}/naysayer/invited/{invite(engine, 'ann', days=1, secret=SECRET)}")
        page.locator(".frame img").wait_for()
        assert page.locator(".name").inner_text() == "ann"
        page.keyboard.press("j")
        page.wait_for_function("!Object.keys(localStorage).some((key) => key.startsWith('naysayer.vote.'))")
        for hidden in ("Pool", "Raters", "Versions", "Overview"):
            assert page.get_by_role("link", name=hidden).count() == 0
        page.goto(f"{url}/raters")
        page.locator(".frame img, .stNotFound").first.wait_for()
        assert page.locator(".ns-raters").count() == 0
        invite(engine, "ann", days=1, secret=SECRET, role=PersonRole.admin)
        page.goto(f"{url}/raters")
        page.get_by_text("1 vote by 1 rater").wait_for()
    finally:
        process.kill()
        process.wait(10)


def wait_for(url: str) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            with urlopen(f"{url}/_stcore/health", timeout=1):
                return
        except OSError:
            time.sleep(0.1)
    pytest.fail("the page server did not answer within 60 s")
