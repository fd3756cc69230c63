"""Who sends a request, and what each role may open."""

import json
import os
import subprocess

import pytest
from playwright.sync_api import expect
from sqlmodel import select
from streamlit.web.server.starlette.starlette_app_utils import create_signed_value

from bench.rate.browser import answers, free_port
from feedback.people.invitations import invite
from store.engine import reading
from store.errors import NotSignedIn
from store.settings import Settings
from store.tables import PersonRole, Rater, Vote
from tests.ui.rate.test_rating_page import all_sent, press
from tests.ui.signin.conftest import OIDC, SECRET, enter, vote_on
from tests.waiting import PATIENCE_S, until
from ui.run.serve import pages_command
from ui.signin.invitation_link import invitation_routes
from ui.signin.people import COOKIE, LOCAL, Person, identify, read_email


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


def test_on_this_machine_a_name_is_enough_and_there_are_no_invitations(engine, settings):
    assert identify(engine, settings, {}) == LOCAL
    assert invitation_routes(lambda: engine, settings) == []


def test_an_account_is_known_by_its_verified_address(engine, settings):
    oidc = Settings(**(OIDC | {"data_dir": settings.data_dir}), _env_file=None)

    def email(claims: dict, secret: str = SECRET, **others: str) -> str:
        signed = create_signed_value(secret, "_streamlit_user", json.dumps(claims))
        cookie = signed.decode() if isinstance(signed, bytes) else signed
        return read_email({"_streamlit_user": cookie} | others, oidc)

    assert email({"email": "ann@example.org", "email_verified": True}) == "ann@example.org"
    for claims in ({"email": "ann@example.org", "email_verified": False}, {"email": None}, {"sub": "ann"}):
        assert email(claims, **{COOKIE: "an invitation counts instead"}) == ""
        with pytest.raises(NotSignedIn, match="your account has no e-mail address"):
            email(claims)
    assert email({"email": "root@example.org"}, secret="somebody else's secret of thirty-two!") == ""
    assert identify(engine, oidc, {}, "ann@example.org") == Person("ann@example.org", PersonRole.rater)
    assert identify(engine, oidc, {}, "root@example.org").role is PersonRole.admin
    with pytest.raises(NotSignedIn):
        identify(engine, oidc, {}, "")
    with pytest.raises(NotSignedIn):
        identify(engine, oidc, {COOKIE: "1.00"}, "")


@pytest.mark.parametrize(
    "address", ["\u212aate@example.org", "ｋate@example.org", "ka\u200bte@example.org", "\u0131da@x.org"]
)
def test_an_address_never_passes_for_another(engine, settings, address):
    names = {"admins": "kate@example.org,ida@x.org", "data_dir": settings.data_dir}
    oidc = Settings(**(OIDC | names), _env_file=None)
    assert identify(engine, oidc, {}, " Kate@Example.org").role is PersonRole.admin
    if address.startswith("\u0131"):  # another letter, which no folding makes an i: another person
        assert identify(engine, oidc, {}, address).role is PersonRole.rater
    else:
        with pytest.raises(NotSignedIn, match="another address may share"):
            identify(engine, oidc, {}, address)


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
        until(lambda: answers(url), "the page server to answer")
        page.goto(f"{url}/raters")
        page.get_by_text("Sign in first").wait_for()
        page.goto(f"{url}/naysayer/invited/{invite(engine, 'ann', days=1, secret=SECRET)}")
        expect(page.locator(".name")).to_have_text("ann")
        press(page, "j")
        all_sent(page)
        for hidden in ("Pool", "Raters", "Versions", "Overview"):
            expect(page.get_by_role("link", name=hidden)).to_have_count(0)
        page.goto(f"{url}/raters")
        page.get_by_text("yours is rater now").wait_for()
        expect(page.locator(".ns-raters")).to_have_count(0)
        invite(engine, "ann", days=1, secret=SECRET, role=PersonRole.admin)
        page.goto(f"{url}/raters")
        page.get_by_text("1 vote by 1 rater").wait_for()
    finally:
        process.kill()
        process.wait(PATIENCE_S)
