from datetime import timedelta

import pytest
from sqlalchemy import Engine

from feedback.people.decisions import role_of
from feedback.people.invitations import invite, list_invitations, read_invitation, revoke_invitations
from store.errors import BadRequest, NotSignedIn
from store.tables import PersonRole, utc_now

SECRET = "a secret of more than thirty-two characters"
NOW = utc_now()


def test_a_link_lets_its_person_in_until_it_expires(any_engine: Engine):
    token = invite(any_engine, "ann", days=7, secret=SECRET)
    assert read_invitation(any_engine, token, secret=SECRET, now=NOW + timedelta(days=6, hours=23)).name == "ann"
    with pytest.raises(NotSignedIn, match="expired"):
        read_invitation(any_engine, token, secret=SECRET, now=NOW + timedelta(days=7, minutes=5))


def test_a_revoked_link_lets_nobody_in(any_engine: Engine):
    tokens = [invite(any_engine, "ann", days=7, secret=SECRET) for _ in range(2)]
    other = invite(any_engine, "bob", days=7, secret=SECRET)
    assert revoke_invitations(any_engine, "ann", NOW) == 2
    for token in tokens:
        with pytest.raises(NotSignedIn, match="revoked"):
            read_invitation(any_engine, token, secret=SECRET, now=NOW)
    assert read_invitation(any_engine, other, secret=SECRET, now=NOW).name == "bob"
    assert [row.revoked_at is None for row in list_invitations(any_engine)] == [True, False, False]


def test_a_forged_link_lets_nobody_in(engine: Engine):
    token = invite(engine, "ann", days=7, secret=SECRET)
    invite(engine, "root", days=7, secret=SECRET, role=PersonRole.admin)
    number, signature = token.split(".")
    forged = [f"2.{signature}", f"{number}.", number, "", f"{number}.{'0' * 64}", f"9.{signature}", "é.é"]
    for one in forged:
        with pytest.raises(NotSignedIn):
            read_invitation(engine, one, secret=SECRET, now=NOW)
    with pytest.raises(NotSignedIn):
        read_invitation(engine, token, secret="another secret, just as long as the first", now=NOW)


def test_a_short_secret_signs_nothing(engine: Engine):
    for secret in ("", "x" * 31):
        with pytest.raises(BadRequest, match="NAYSAYER_SECRET"):
            invite(engine, "ann", days=7, secret=secret)
    assert list_invitations(engine) == []


def test_an_invitation_gives_its_role(engine: Engine):
    invite(engine, "cleo", days=1, secret=SECRET, role=PersonRole.curator)
    assert role_of(engine, "cleo") is PersonRole.curator
