from sqlmodel import select

from feedback.people.invitations import invite, revoke_invitations
from store.engine import reading
from store.tables import Rater
from tests.ui.signin.conftest import SECRET, enter, vote_on
from ui.signin.people import COOKIE


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


def test_a_revoked_invitation_ends_at_once(client, engine, draw):
    draw(1)
    enter(client, engine)
    assert client.post("/naysayer/next", json={"rater": "ann"}).status_code == 200
    revoke_invitations(engine, "ann")
    assert client.post("/naysayer/next", json={"rater": "ann"}).status_code == 401


def test_a_cookie_outlives_no_invitation(client, engine):
    token = invite(engine, "ann", days=0.5, secret=SECRET)
    cookie = client.get(f"/naysayer/invited/{token}").headers["set-cookie"].lower()
    seconds = int(cookie.split("max-age=")[1].split(";")[0])
    assert 43_000 < seconds <= 43_200
